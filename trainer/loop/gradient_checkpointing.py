"""Gradient checkpointing over time: each segment of the sequence is recomputed in the backward pass."""

from __future__ import annotations

from collections.abc import Container, Sequence

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from spikeport.common.errors import InputError
from spikeport.trainer.network.delays import Delays
from spikeport.trainer.network.spiking_network import SpikingNetwork
from spikeport.trainer.neuron_step.neurons import CubaLIF


def count_spikes(
    network: SpikingNetwork, x: Tensor, stretch: int = 0, truncate: bool = False, layers: Container[str] | None = None
) -> dict[str, Tensor]:
    """Spike counts of these layers by name, each (B, *output_shape), for input spikes x (T, B, *input_shape).

    layers: by default all; a count costs a pass over the layer's spikes.
    stretch: steps per segment, 0 for the whole sequence. Only the neurons' state at the end of each segment is stored;
    the backward pass recomputes the segment (Chen et al., arXiv 1604.06174, 2016), which costs a second forward pass
    and gives the same gradients. truncate: errors do not flow from a segment to the previous one (truncated BPTT,
    Williams & Peng, Neural Computation 2(4), 1990). Raises InputError while batch norm gathers statistics, which need
    the whole sequence.
    """
    if stretch == 0 or stretch >= len(x):
        return {name: spikes.sum(0) for name, spikes in network.run(x).items() if layers is None or name in layers}
    if any(isinstance(module, _BatchNorm) and module.training for module in network.modules()):
        raise InputError("stretch needs batch_norm = false or norm_epochs = 0: statistics are of all steps")
    if any(isinstance(module, Delays) for module in network.modules()):
        raise InputError(
            "stretch cannot be used with delays, which reach beyond a segment; leave stretch or delays out"
        )
    run = _Segments(network, layers)
    state: Sequence[Tensor] = ()
    counts: list[Tensor] = []
    for segment in torch.split(x, stretch):
        state = [value.detach() for value in state] if truncate else state
        outputs: tuple[Tensor, ...] = checkpoint(run, segment, *state, use_reentrant=False, preserve_rng_state=False)
        added, state = outputs[: len(run.layers)], outputs[len(run.layers) :]
        counts = list(added) if not counts else [a + b for a, b in zip(counts, added, strict=True)]
    return dict(zip(run.layers, counts, strict=True))


class _Segments:
    """The network on one segment, as a function of its input and the neurons' initial state."""

    def __init__(self, network: SpikingNetwork, layers: Container[str] | None) -> None:
        self.network = network
        self.layers = [name for name, _ in network.spiking_blocks() if layers is None or name in layers]
        self.neurons = [module for module in network.modules() if isinstance(module, CubaLIF)]
        self.names: list[tuple[CubaLIF, str]] = []

    def __call__(self, x: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Counts of the layers, then the final state."""
        for neuron in self.neurons:
            neuron.carried = {}
        for (neuron, name), value in zip(self.names, state, strict=False):
            if neuron.carried is not None:
                neuron.carried[name] = value
        try:
            spikes = self.network.run(x)
            counts = [spikes[name].sum(0) for name in self.layers]
            # the first segment starts from rest and determines which state is carried
            self.names = [(neuron, name) for neuron in self.neurons for name in neuron.carried or {}]
            return (*counts, *((neuron.carried or {})[name] for neuron, name in self.names))
        finally:
            # also when torch stops the recomputation early, having everything it needs
            for neuron in self.neurons:
                neuron.carried = None
