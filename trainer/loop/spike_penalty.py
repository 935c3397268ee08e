"""Penalties on spikes in the loss, to trade accuracy for energy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from spikeport.common.errors import InputError
from spikeport.trainer.settings.checks import at_least
from spikeport.trainer.settings.options import RECIPE_RULES


@dataclass(frozen=True)
class Sparsity:
    """Terms added to the loss for spikes; by default none.

    loss += penalty * n + weight * sum over layers of (r - target)**2

    n: spikes of all layers per sample; r: a layer's spikes per neuron and step, mean over the batch; target: target
    rates, one for all layers or one per layer (including the output layer), empty for no such term.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = RECIPE_RULES

    penalty: float = 0.0
    target: tuple[float, ...] = ()
    weight: float = 10.0

    def __post_init__(self) -> None:
        at_least("penalty", self.penalty, 0)
        at_least("weight", self.weight, 0)
        for rate in self.target:
            if not 0 <= rate <= 1:
                raise InputError(f"target is a rate in spikes per neuron and step, 0 to 1, not {rate}")

    @property
    def active(self) -> bool:
        """Whether there is a term, for which the spikes of all layers must be counted."""
        return self.penalty > 0 or bool(self.target)

    def cost(self, counts: Mapping[str, Tensor], steps: int) -> Tensor | float:
        """The loss term for spike counts (B, *neurons) by layer over `steps` steps.

        Raises InputError if the numbers of targets and layers differ.
        """
        if len(self.target) > 1 and len(self.target) != len(counts):
            raise InputError(f"target has {len(self.target)} rates, but the layers are {', '.join(counts)}")
        cost: Tensor | float = 0.0
        if self.penalty > 0:
            cost = self.penalty * torch.stack([count.flatten(1).sum(1).mean() for count in counts.values()]).sum()
        if self.target and self.weight > 0:
            rates = torch.stack([count.mean() / steps for count in counts.values()])
            target = torch.tensor(self.target, dtype=rates.dtype, device=rates.device)
            cost = cost + self.weight * (rates - target).square().sum()
        return cost
