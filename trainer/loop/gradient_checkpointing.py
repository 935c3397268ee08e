"""Long sequences in little memory: time is cut into stretches, each computed again when its gradient is due."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from spikeport.common.errors import InputError
from spikeport.trainer.network.delays import Delays
from spikeport.trainer.network.spiking_network import SpikingNetwork
from spikeport.trainer.neuron_step.neurons import CubaLIF


def count_spikes(network: SpikingNetwork, x: Tensor, stretch: int = 0, truncate: bool = False) -> dict[str, Tensor]:
    """Spike counts of every layer by name, each (B, *output_shape), for input spikes x (T, B, *input_shape).

    stretch: steps that are kept in memory at once, 0 for all. Of every stretch only the neurons' state at its end is
    kept; going backward it is computed again (Chen et al., arXiv 1604.06174, 2016), which costs a second forward pass
    and gives the same gradients. truncate: errors do not pass from a stretch to the one before (truncated BPTT,
    Williams & Peng, Neural Computation 2(4), 1990). Raises InputError while batch norm gathers statistics, which
    belong to the whole sequence.
    """
    if stretch == 0 or stretch >= len(x):
        return {name: spikes.sum(0) for name, spikes in network.run(x).items()}
    if any(isinstance(module, _BatchNorm) and module.training for module in network.modules()):
        raise InputError("stretches of time need batch_norm = false or norm_epochs = 0: statistics are of all steps")
    if any(isinstance(module, Delays) for module in network.modules()):
        raise InputError("stretches of time know no delays, which reach back beyond them; leave stretch or delays out")
    run = _Stretches(network)
    state: Sequence[Tensor] = ()
    counts: list[Tensor] = []
    for part in torch.split(x, stretch):
        state = [value.detach() for value in state] if truncate else state
        found: tuple[Tensor, ...] = checkpoint(run, part, *state, use_reentrant=False, preserve_rng_state=False)
        added, state = found[: len(run.layers)], found[len(run.layers) :]
        counts = list(added) if not counts else [a + b for a, b in zip(counts, added, strict=True)]
    return dict(zip(run.layers, counts, strict=True))


class _Stretches:
    """The network on a stretch of time as a function of its input and the neurons' state before."""

    def __init__(self, network: SpikingNetwork) -> None:
        self.network = network
        self.layers = [name for name, _ in network.spiking_blocks()]
        self.neurons = [module for module in network.modules() if isinstance(module, CubaLIF)]
        self.names: list[tuple[CubaLIF, str]] = []

    def __call__(self, x: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Counts of every layer, then the state after."""
        for neuron in self.neurons:
            neuron.carried = {}
        for (neuron, name), value in zip(self.names, state, strict=False):
            if neuron.carried is not None:
                neuron.carried[name] = value
        try:
            counts = [spikes.sum(0) for spikes in self.network.run(x).values()]
            # the first stretch starts from rest and says what there is to carry
            self.names = [(neuron, name) for neuron in self.neurons for name in neuron.carried or {}]
            return (*counts, *((neuron.carried or {})[name] for neuron, name in self.names))
        finally:
            # also when torch breaks a second forward pass off, having all it needs
            for neuron in self.neurons:
                neuron.carried = None
