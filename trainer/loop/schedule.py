"""Learning rate schedules over the epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from spikeport.common.errors import InputError
from spikeport.trainer.settings.checks import above_zero, at_least, known
from spikeport.trainer.settings.options import RECIPE_RULES

ScheduleKind = Literal["cosine", "step", "constant"]


@dataclass(frozen=True)
class Schedule:
    """The share of the learning rate in each epoch; raises InputError for invalid values.

    kind: "cosine" falls to 0 along half a cosine, "step" is multiplied by `factor` after every `every` epochs,
    "constant" does not change; warmup: number of first epochs in which it also rises linearly.
    Source: Loshchilov & Hutter, SGDR, ICLR 2017, eq. 5 (cosine); Goyal et al., arXiv 1706.02677, 2017 (warm-up).
    """

    __pydantic_config__: ClassVar[dict[str, object]] = RECIPE_RULES

    kind: ScheduleKind = "cosine"
    every: int = 10
    factor: float = 0.1
    warmup: int = 0

    def __post_init__(self) -> None:
        known("schedule", self.kind, ("cosine", "step", "constant"))
        at_least("every", self.every, 1)
        at_least("warmup", self.warmup, 0)
        above_zero("factor", self.factor)
        if self.factor > 1:
            raise InputError(f"factor multiplies the learning rate and must be at most 1, not {self.factor}")

    def share(self, epoch: int, epochs: int) -> float:
        """The share in an epoch, counted from 0, of `epochs`."""
        rising = min(1.0, (epoch + 1) / (self.warmup + 1))
        if self.kind == "cosine":
            return rising * 0.5 * (1 + math.cos(math.pi * epoch / epochs))
        return rising * (self.factor ** (epoch // self.every) if self.kind == "step" else 1.0)
