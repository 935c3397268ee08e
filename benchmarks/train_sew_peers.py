"""The residual network of train_sew.py in other frameworks, each written as in its own tutorials.

    pip install snntorch spikingjelly norse

Each function takes the layers' weights and gives a module, from float spikes (T, B, *input) to output counts (B, 10),
what resets its state, and the weights whose gradients are compared. Membrane: keeps KEEP per step, threshold 1, reset
to 0, surrogate atan where known. SpikingJelly runs layer by layer over all steps, so its batch norm has statistics over
time and batch, as ours; snnTorch and Norse run step by step, with statistics of each step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn
from train_peers import BACKENDS, norse_neuron, snntorch_neuron, spikingjelly_neuron, synapse_of

from spikeport.trainer.network.spiking_network import SpikingNetwork

Made = tuple[nn.Module, Callable[[], None], list[Tensor]]


@dataclass(frozen=True)
class Part:
    """A layer's weights, (out, in) or (out, in, kernel, kernel), and its convolution's stride and padding."""

    name: str
    weight: Tensor
    stride: int = 1
    padding: int = 0

    def synapse(self) -> nn.Linear | nn.Conv2d:
        """A fresh copy without bias."""
        return synapse_of(self.weight, self.stride, self.padding)

    def norm(self) -> nn.BatchNorm1d | nn.BatchNorm2d:
        """Its batch norm."""
        return (nn.BatchNorm1d if self.weight.dim() == 2 else nn.BatchNorm2d)(len(self.weight))


def parts_of(network: SpikingNetwork) -> list[Part]:
    """The layers of our network."""
    parts = []
    for name, block in network.spiking_blocks():
        synapse = block.synapse
        geometry = (synapse.stride[0], int(synapse.padding[0])) if isinstance(synapse, nn.Conv2d) else (1, 0)
        parts.append(Part(name, synapse.weight.detach().clone(), *geometry))
    return parts


class Residual(nn.Module):
    """SEW blocks of units, one per part: conv; per block two of a branch, and a projection if it has one; output."""

    def __init__(self, units: list[nn.Module], parts: list[Part]) -> None:
        super().__init__()
        self.units = nn.ModuleList(units)
        # a projection has a kernel of 1 x 1
        projections = [part.weight.dim() == 4 and part.weight.shape[2] == 1 for part in parts]
        self.blocks: list[tuple[int, int | None]] = []
        place = 1
        while place < len(units) - 1:
            self.blocks.append((place, place + 2 if projections[place + 2] else None))
            place += 3 if projections[place + 2] else 2

    def forward(self, x: Tensor) -> Tensor:
        """Output spikes for spikes, in whatever shape the units take."""
        units = list(self.units)
        x = units[0](x)
        for branch, projection in self.blocks:
            x = units[branch + 1](units[branch](x)) + (x if projection is None else units[projection](x))
        spikes: Tensor = units[-1](x.flatten(-3))
        return spikes


def spikingjelly(parts: list[Part], backend: str = "torch") -> Made:
    """SpikingJelly, multi-step mode: our equations except for spikes at exactly v = vth."""
    from spikingjelly.activation_based import functional, layer

    synapses = [part.synapse() for part in parts]

    def unit(part: Part, synapse: nn.Module) -> nn.Module:
        return nn.Sequential(layer.SeqToANNContainer(synapse, part.norm()), spikingjelly_neuron(backend))

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = Residual([unit(part, synapse) for part, synapse in zip(parts, synapses, strict=True)], parts)

        def forward(self, x: Tensor) -> Tensor:
            counts: Tensor = self.body(x).sum(0)
            return counts

    network = Network().train()
    return network, lambda: functional.reset_net(network), [synapse.weight for synapse in synapses]


def snntorch(parts: list[Part]) -> Made:
    """snnTorch: Leaky in a loop over time; its reset also removes the next step's input."""
    synapses = [part.synapse() for part in parts]
    units = []
    for part, synapse in zip(parts, synapses, strict=True):
        cell = snntorch_neuron()
        units.append(_Unit(nn.Sequential(synapse, part.norm()), cell, cell.init_leaky))
    return _Stepwise(units, parts).train(), lambda: None, [synapse.weight for synapse in synapses]


def norse(parts: list[Part]) -> Made:
    """norse: LIFBoxCell in a loop over time, whose input is scaled by the step; surrogate of its own."""
    synapses = [part.synapse() for part in parts]
    units = []
    for part, synapse in zip(parts, synapses, strict=True):
        units.append(_Unit(nn.Sequential(synapse, part.norm(), _Times(10)), norse_neuron(), lambda: None))
    return _Stepwise(units, parts).train(), lambda: None, [synapse.weight for synapse in synapses]


class _Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


class _Unit(nn.Module):
    """A synapse and neurons with a state, which starts as `start` returns it."""

    def __init__(self, current: nn.Module, cell: nn.Module, start: Callable[[], object]) -> None:
        super().__init__()
        self.current, self.cell, self.start = current, cell, start
        self.state: object = None

    def forward(self, x: Tensor) -> Tensor:
        spikes: Tensor
        spikes, self.state = self.cell(self.current(x), self.state)
        return spikes


class _Stepwise(nn.Module):
    """A network of one step in a loop over time."""

    def __init__(self, units: list[_Unit], parts: list[Part]) -> None:
        super().__init__()
        self.body = Residual(list(units), parts)

    def forward(self, x: Tensor) -> Tensor:
        for unit in self.body.units:
            assert isinstance(unit, _Unit)
            unit.state = unit.start()
        counts: Tensor = sum(self.body(step) for step in x)
        return counts


PEERS: dict[str, Callable[[list[Part]], Made]] = {
    "SpikingJelly": spikingjelly,
    "snnTorch": snntorch,
    "Norse": norse,
}
# whose gradients must be ours
SAME_EQUATIONS = ("SpikingJelly, eager", "SpikingJelly, compiled")


def peers_on(device: str) -> dict[str, Callable[[list[Part]], Made]]:
    """The frameworks of a device; on a GPU SpikingJelly also with its own kernels."""
    if device == "cpu":
        return PEERS
    return PEERS | {f"SpikingJelly {backend}": partial(spikingjelly, backend=backend) for backend in BACKENDS}
