"""Fewer spikes while a network is tuned, and which weights may be pruned."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from spikeport.exporter.trainable.module import ChipModule


def spike_penalty(module: ChipModule, sent: Mapping[str, Tensor], target: float) -> Tensor:
    """Mean over trained layers of by how much a neuron's spikes per step exceed the target rate."""
    excess = [
        (values.flatten(2).mean(0) - target).clamp(min=0).mean()
        for name, values in sent.items()
        if module.layer(name).trainable and module.layer(name).population.sends == "spikes"
    ]
    return torch.stack(excess).mean() if excess else torch.zeros(())


def prunable(module: ChipModule) -> tuple[Tensor, ...]:
    """The weights of all synapses, without those that carry a bias."""
    synapses = (synapse for name in module.plan.layers for synapse in module.layer(name).sources())
    return tuple(synapse.weight for synapse in synapses if not synapse.carries_bias)
