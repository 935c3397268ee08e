"""Fewer spikes and fewer weights while a network is tuned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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


@dataclass
class Pruning:
    """Sets the smallest weights of every synapse to 0, more of them from epoch to epoch.

    The fraction in epoch e of E is fraction (1 - (1 - 2 (e + 1) / E)^3) up to the middle, then constant (Zhu & Gupta,
    arXiv:1710.01878, 2017). A weight that is 0 stays so; synapses of a bias are left out.
    """

    module: ChipModule
    fraction: float
    epochs: int
    _masks: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def start_epoch(self, epoch: int) -> None:
        """Choose the weights that are 0 from now on, and set them so."""
        fraction = self.fraction * (1 - max(0.0, 1 - 2 * (epoch + 1) / self.epochs) ** 3)
        self._masks = []
        for name in self.module.plan.layers:
            for synapse in self.module.layer(name).sources():
                weight = synapse.weight.detach()
                number = round(fraction * weight.numel())
                if number and not synapse.carries_bias:
                    kept = torch.ones(weight.numel(), dtype=torch.bool, device=weight.device)
                    kept[weight.abs().reshape(-1).argsort()[:number]] = False
                    self._masks.append((weight, kept.view(weight.shape)))
        self.apply()

    def apply(self) -> None:
        """Set the chosen weights to 0 again, after a step of training."""
        for weight, kept in self._masks:
            weight.mul_(kept)

    def is_done(self, epoch: int) -> bool:
        """Whether the whole fraction is 0 in this epoch."""
        return not self.fraction or 2 * (epoch + 1) >= self.epochs
