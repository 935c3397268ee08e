"""snnTorch: Synaptic and Leaky neurons behind Linear layers, exported by snntorch.export_nir.

Both with reset_mechanism="subtract" and reset_delay=True, their defaults: the threshold is taken in the next step.
"""

import snntorch as snn
import torch
from snntorch.export_nir import export_to_nir

from common import CLASSES, HIDDEN, INPUTS, save, spikes, weights


def each(value: float, size: int) -> torch.Tensor:
    """The same number for every neuron."""
    return torch.full((size,), value)


class Network(torch.nn.Module):
    """Linear - Synaptic - Linear - Leaky."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = torch.nn.Linear(INPUTS, HIDDEN, bias=False)
        # one number a neuron: nir infers no shapes from scalars
        self.lif1 = snn.Synaptic(
            alpha=each(0.6, HIDDEN),
            beta=each(0.85, HIDDEN),
            threshold=each(1.0, HIDDEN),
            init_hidden=True,
        )
        self.fc2 = torch.nn.Linear(HIDDEN, CLASSES)
        self.lif2 = snn.Leaky(beta=each(0.8, CLASSES), threshold=each(1.0, CLASSES), init_hidden=True, output=True)

    def forward(self, x):
        return self.lif2(self.fc2(self.lif1(self.fc1(x))))[0]


network = Network()
with torch.no_grad():
    network.fc1.weight.copy_(torch.from_numpy(weights(HIDDEN, INPUTS, 0.5, 1)))
    network.fc2.weight.copy_(torch.from_numpy(weights(CLASSES, HIDDEN, 1.2, 2)))
    network.fc2.bias.copy_(torch.from_numpy(weights(CLASSES, 1, 0.05, 3)[:, 0]))
x = spikes(INPUTS)
sequential = torch.nn.Sequential(network.fc1, network.lif1, network.fc2, network.lif2)
with torch.no_grad():
    out = torch.stack([network(step) for step in torch.from_numpy(x)])
save(export_to_nir(sequential, torch.from_numpy(x[0, 0])), x, out)
