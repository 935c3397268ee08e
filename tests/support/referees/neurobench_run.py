"""Runs where neurobench is installed, in a process of its own: its metrics of a network whose spikes are given.

    PYTHON tests/support/referees/neurobench_run.py RUN.npz

RUN.npz: `x` (T, batch, inputs) spikes, and for each layer l `w<l>` (target, source) weights and `s<l>` (T, batch,
target) its spikes, which the layer gives back whatever comes in; `registers`: bytes of all neurons' registers. Prints
JSON.
"""

import json
import sys

import numpy as np
import torch
from neurobench.metrics.static import ConnectionSparsity, Footprint
from neurobench.metrics.workload import ActivationSparsity, SynapticOperations
from neurobench.models.neurobench_model import NeuroBenchModel


class Replay(torch.nn.Module):
    """A layer of neurons whose spikes were recorded."""

    def __init__(self, spikes):
        super().__init__()
        self.spikes, self.step = spikes, 0

    def forward(self, current):
        self.step += 1
        return self.spikes[self.step - 1]


class Model(NeuroBenchModel):
    """The layers in turn, step by step."""

    def __init__(self, net):
        super().__init__()
        self.net = net
        self.add_activation_module(Replay)

    def __call__(self, x):
        return torch.stack([self.net(step) for step in x])

    def __net__(self):
        return self.net


class Stored(NeuroBenchModel):
    """What the chip holds: weights at their width, and the neurons' registers packed into bytes."""

    def __init__(self, weights, registers):
        super().__init__()
        self.net = torch.nn.Module()
        for n, w in enumerate(weights):
            values = torch.tensor(w).to(torch.int8)
            self.net.register_parameter(f"w{n}", torch.nn.Parameter(values, requires_grad=False))
        self.net.register_buffer("registers", torch.tensor(registers))

    def __call__(self, x):
        return x

    def __net__(self):
        return self.net


def main(path):
    """Run and print."""
    data = np.load(path)
    layers, weights = [], [data[name] for name in sorted(data.files) if name.startswith("w")]
    for n, w in enumerate(weights):
        linear = torch.nn.Linear(w.shape[1], w.shape[0], bias=False)
        linear.weight.data = torch.tensor(w, dtype=torch.float32)
        layers += [linear, Replay(torch.tensor(data[f"s{n}"], dtype=torch.float32))]
    model = Model(torch.nn.Sequential(*layers))
    x = torch.tensor(data["x"], dtype=torch.float32)
    model.register_hooks()
    with torch.no_grad():
        predictions = model(x)
    batch = (x.transpose(0, 1), None)
    found = {
        "connection_sparsity": ConnectionSparsity()(model),
        "activation_sparsity": ActivationSparsity()(model, predictions, batch),
        "synops": {k: float(v) for k, v in SynapticOperations()(model, predictions, batch).items()},
        "footprint": Footprint()(Stored(weights, data["registers"])),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
