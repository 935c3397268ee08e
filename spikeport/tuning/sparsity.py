"""Fewer spikes while a network is tuned, and which weights may be pruned."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from spikeport.exporter.trainable.own_graph import OwnGraph

from .tunable import Tunable


def spike_penalty(module: Tunable, sent: Mapping[str, Tensor], target: float) -> Tensor:
    """Mean over trained layers of by how much a neuron's spikes per step exceed the target rate."""
    excess = [
        (values.flatten(2).mean(0) - target).clamp(min=0).mean()
        for name, values in sent.items()
        if module.layer(name).trainable and module.layer(name).population.sends == "spikes"
    ]
    return torch.stack(excess).mean() if excess else torch.zeros(())


def prunable(module: Tunable) -> tuple[Tensor, ...]:
    """The weights of all synapses, without those that carry a bias."""
    if isinstance(module, OwnGraph):
        return module.prunable()
    synapses = (synapse for name in module.plan.layers for synapse in module.layer(name).sources())
    return tuple(s.weight for s in synapses if s.weight.requires_grad and not s.carries_bias)
