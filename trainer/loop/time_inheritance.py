"""Fewer time steps in the first epochs of a training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from spikeport.common.errors import InputError
from spikeport.common.limits import MOST_STEPS
from spikeport.trainer.settings.checks import within
from spikeport.trainer.settings.options import RECIPE_RULES


@dataclass(frozen=True)
class TimeInheritance:
    """The first epochs have fewer time steps, and the last ones train the weights that result with all steps.

    steps: of the first epochs, 0: all; epochs: the share of the epochs with fewer steps. Raises InputError.
    Time and memory of an epoch are proportional to its steps, and few epochs are enough to get used to more of them.
    Source: Deng et al., Temporal Efficient Training of Spiking Neural Networks via Gradient Re-weighting, ICLR 2022
    (arXiv:2202.11946), section 4.3, "time inheritance training".
    """

    __pydantic_config__: ClassVar[dict[str, object]] = RECIPE_RULES

    steps: int = 0
    epochs: float = 0.0

    def __post_init__(self) -> None:
        within("inherit steps", self.steps, 0, MOST_STEPS)
        if not 0 <= self.epochs < 1:
            raise InputError(f"inherit epochs is a share of the epochs, 0 to below 1, not {self.epochs}")
        if bool(self.steps) != bool(self.epochs):
            raise InputError("inherit needs both steps, of the first epochs, and epochs, their share of all")

    def check(self, steps: int, encoding: str) -> None:
        """Raises InputError where a training with this many steps and this encoding cannot have fewer first."""
        if self.steps > steps:
            raise InputError(f"inherit steps must be at most steps = {steps}, not {self.steps}")
        if self.steps and encoding == "spikes":
            raise InputError(
                'inherit gives images fewer steps, but encoding = "spikes" has recordings, which last as long as '
                "they do; leave inherit out"
            )

    def steps_in(self, epoch: int, epochs: int, steps: int) -> int:
        """Time steps of an epoch, counted from 0, of `epochs`, in a training with this many steps."""
        return self.steps if self.steps and epoch < self.epochs * epochs else steps
