"""Unmodified modules of one framework as trainable modules: dense, convolutional and, where it has one, recurrent.

    python tests/frameworks/modules_.py FRAMEWORK

Prints a line per network: its name, the share of places in which its float network equals the framework's own output,
whether the module equals the emulator in every place (before and after a ten-line loop), the loss before and after,
and the share of equal places of the framework's network with the trained weights.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch

import spikeport as sp

STEPS, BATCH = 20, 4
Run = Callable[[Any, torch.Tensor], torch.Tensor]


def enlarged(network: torch.nn.Module, factor: float) -> torch.nn.Module:
    """Weights that make the neurons spike."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)):
                module.weight.mul_(factor)
    return network


def equals_emulator(module: sp.torch.Module, x: torch.Tensor) -> bool:
    """Every output in every place."""
    network = module.compile()
    spikes = network.simulate(x.numpy().astype(np.int32)).spikes[network.program.pipeline_steps :]
    return bool(np.array_equal(spikes.reshape(module(x).shape), module(x).detach().numpy()))


def check(name: str, network: torch.nn.Module, run: Run, *shape: int) -> None:
    """One network."""
    x = (torch.rand(STEPS, BATCH, *shape) < 0.3).float()
    sample = torch.zeros(BATCH, *shape)
    module = sp.torch.module(network, chip="loihi2", sample=sample)
    places = share(module.eval_float(x), run(network, x))
    exact = equals_emulator(module, x)
    optimizer, losses = torch.optim.Adam(module.parameters(), lr=0.02), []
    for _ in range(15):
        counts = module(x).sum(0).reshape(BATCH, -1)
        loss = torch.nn.functional.cross_entropy(counts * 0.1, torch.arange(BATCH) % 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    exact = exact and equals_emulator(module, x)
    module.load_into(network)
    back = share(module.eval_float(x), run(network, x))
    print(f"{name} {places:.4f} {exact} {losses[0]:.4f} {losses[-1]:.4f} {back:.4f}")


def share(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Equal places."""
    return float((ours.reshape(theirs.shape) == theirs).float().mean())


def snntorch() -> None:
    """Reset by subtraction in the next step, and to zero."""
    snn = import_module("snntorch")

    def run(network: Any, x: torch.Tensor) -> torch.Tensor:
        for module in network:
            if hasattr(module, "reset_mem"):
                module.reset_mem()
        with torch.no_grad():
            return torch.stack([network(step) for step in x])

    def leaky(beta: float, reset: str = "subtract") -> torch.nn.Module:
        return snn.Leaky(beta=beta, init_hidden=True, reset_mechanism=reset)

    linear, chain = torch.nn.Linear, torch.nn.Sequential
    for reset in ("subtract", "zero"):
        network = enlarged(chain(linear(12, 16), leaky(0.9, reset), linear(16, 3), leaky(0.8, reset)), 4)
        check(f"dense-{reset}", network, run, 12)
    flat = (torch.nn.AvgPool2d(2), torch.nn.Flatten(), linear(64, 3))
    check("conv", enlarged(chain(torch.nn.Conv2d(2, 4, 3, padding=1), leaky(0.9), *flat, leaky(0.8)), 4), run, 2, 8, 8)
    largest = (torch.nn.MaxPool2d(2), torch.nn.Flatten(), linear(64, 3))
    conv = torch.nn.Conv2d(2, 4, 3, padding=1)
    check("max-pool", enlarged(chain(conv, leaky(0.9), *largest, leaky(0.8)), 4), run, 2, 8, 8)
    rnn = snn.RLeaky(beta=0.9, linear_features=16, init_hidden=True)
    check("recurrent", enlarged(chain(linear(12, 16), rnn, linear(16, 3), leaky(0.8)), 3), run, 12)


def spikingjelly() -> None:
    """Reset to zero, and by subtraction, which its exporter refuses."""
    based = "spikingjelly.activation_based"
    functional, layer, neuron = (import_module(f"{based}.{name}") for name in ("functional", "layer", "neuron"))

    def run(network: Any, x: torch.Tensor) -> torch.Tensor:
        functional.reset_net(network)
        with torch.no_grad():
            return torch.stack([network(step) for step in x])

    for name, reset in (("zero", 0.0), ("subtract", None)):
        lif, integrate = neuron.LIFNode(tau=3.0, v_threshold=0.4, v_reset=reset), neuron.IFNode(v_reset=reset)
        dense = torch.nn.Sequential(layer.Linear(12, 16), lif, layer.Linear(16, 3), integrate)
        check(f"dense-{name}", enlarged(dense, 4), run, 12)
        lif, integrate = neuron.LIFNode(tau=3.0, v_threshold=0.4, v_reset=reset), neuron.IFNode(v_reset=reset)
        flat = layer.AvgPool2d(2), layer.Flatten(), layer.Linear(64, 3)
        conv = torch.nn.Sequential(layer.Conv2d(2, 4, 3, padding=1), lif, *flat, integrate)
        check(f"conv-{name}", enlarged(conv, 4), run, 2, 8, 8)


def norse() -> None:
    """Reset to zero; the time step is the cells' own."""
    framework = import_module("norse.torch")

    def cell(tau: float, threshold: float) -> torch.nn.Module:
        each = {"tau_mem_inv": torch.tensor([1 / tau]), "v_th": torch.tensor([threshold])}
        zero = {"v_leak": torch.zeros(1), "v_reset": torch.zeros(1)}
        return framework.LIFBoxCell(framework.LIFBoxParameters(**each, **zero), dt=1e-3)

    def run(network: Any, x: torch.Tensor) -> torch.Tensor:
        state, out = None, []
        with torch.no_grad():
            for step in x:
                spikes, state = network(step, state)
                out.append(spikes)
        return torch.stack(out)

    chain, linear = framework.SequentialState, torch.nn.Linear
    check("dense", enlarged(chain(linear(12, 16), cell(0.008, 0.2), linear(16, 3), cell(0.01, 0.1)), 8), run, 12)
    conv = torch.nn.Conv2d(2, 4, 3, padding=1), cell(0.008, 0.2), torch.nn.Flatten(), linear(256, 3), cell(0.01, 0.1)
    check("conv", enlarged(chain(*conv), 6), run, 2, 8, 8)
    conv = torch.nn.Conv2d(2, 4, 3, padding=1), cell(0.008, 0.2), torch.nn.MaxPool2d(2), torch.nn.Flatten()
    check("max-pool", enlarged(chain(*conv, linear(64, 3), cell(0.01, 0.1)), 6), run, 2, 8, 8)


def sinabs() -> None:
    """Reset by subtraction, at most one spike per step; a LIF that does not normalise its input."""
    layers, single = import_module("sinabs.layers"), import_module("sinabs.activation").SingleSpike

    def run(network: Any, x: torch.Tensor) -> torch.Tensor:
        for module in network.modules():
            if hasattr(module, "reset_states"):
                module.reset_states()
        with torch.no_grad():
            out = network(x.transpose(0, 1).reshape(-1, *x.shape[2:]))
        return out.reshape(BATCH, STEPS, *out.shape[1:]).transpose(0, 1)

    common = {"batch_size": BATCH, "min_v_mem": None, "spike_fn": single}
    linear, chain = torch.nn.Linear, torch.nn.Sequential
    lif = layers.LIFSqueeze(tau_mem=10.0, norm_input=False, **common)
    check("dense", enlarged(chain(linear(12, 16), layers.IAFSqueeze(**common), linear(16, 3), lif), 3), run, 12)
    first, second, last = (layers.IAFSqueeze(**common) for _ in range(3))
    pooled = layers.SumPool2d(2), torch.nn.Conv2d(4, 4, 3), second, torch.nn.Flatten(), linear(16, 3), last
    check("conv", enlarged(chain(torch.nn.Conv2d(2, 4, 3, padding=1), first, *pooled), 2), run, 2, 8, 8)
    first, last = (layers.IAFSqueeze(**common) for _ in range(2))
    largest = torch.nn.MaxPool2d(2), torch.nn.Flatten(), linear(64, 3)
    check("max-pool", enlarged(chain(torch.nn.Conv2d(2, 4, 3, padding=1), first, *largest, last), 2), run, 2, 8, 8)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    {"snntorch": snntorch, "spikingjelly": spikingjelly, "norse": norse, "sinabs": sinabs}[sys.argv[1]]()
