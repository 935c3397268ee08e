"""Fewer weights while a network is trained: the smallest of every synapse become 0."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


class PruningWarning(UserWarning):
    """Weights become 0 faster than training makes up for them."""


@dataclass
class Pruning:
    """Sets the smallest weights of every synapse to 0, more of them from epoch to epoch.

    The fraction in epoch e of E is fraction (1 - (1 - 2 (e + 1) / E)^3) up to the middle, then constant (Zhu & Gupta,
    arXiv:1710.01878, 2017). A weight that is 0 stays so. weights: of every synapse.
    """

    weights: tuple[Tensor, ...]
    fraction: float
    epochs: int
    _masks: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def start_epoch(self, epoch: int) -> None:
        """Choose the weights that are 0 from now on, and set them so; the same when called again within the epoch."""
        fraction = self.fraction * (1 - max(0.0, 1 - 2 * (epoch + 1) / self.epochs) ** 3)
        self._masks = []
        for parameter in self.weights:
            weight = parameter.detach()
            # a fraction below 1 leaves a weight
            number = min(round(fraction * weight.numel()), weight.numel() - 1)
            if number:
                kept = torch.ones(weight.numel(), dtype=torch.bool, device=weight.device)
                kept[weight.abs().reshape(-1).argsort(stable=True)[:number]] = False
                self._masks.append((weight, kept.view(weight.shape)))
        self.apply()

    def apply(self) -> None:
        """Set the chosen weights to 0 again, after a step of training."""
        for weight, kept in self._masks:
            weight.mul_(kept)

    def is_done(self, epoch: int) -> bool:
        """Whether the whole fraction is 0 in this epoch."""
        return not self.fraction or 2 * (epoch + 1) >= self.epochs


def warn_at_once(fraction: float, epochs: int) -> None:
    """Warn where so few epochs set the whole fraction to 0 in the first one."""
    if fraction and epochs <= 2:
        some = "1 epoch" if epochs == 1 else f"{epochs} epochs"
        warnings.warn(
            f"pruning {fraction:.0%} of the weights in {some} sets all of them to 0 at once, before the others can "
            "make up for them; 4 or more epochs of pruning go step by step",
            PruningWarning,
            stacklevel=3,
        )


def synapse_weights(parameters: Iterable[tuple[str, nn.Parameter]]) -> tuple[Tensor, ...]:
    """The weights of synapses among parameters by name: matrices and kernels, no biases, norms or delays."""
    return tuple(value for name, value in parameters if name.endswith("weight") and value.dim() > 1)
