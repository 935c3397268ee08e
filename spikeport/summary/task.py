"""A run's task in summary.json, and its scores by the task's metric, accuracy included."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import Amount, Count, Model, Number

if TYPE_CHECKING:
    from spikeport.trainer.tasks.metrics import Metric as Measured

# a field is called float, as in summary.json
Value = float


class Metric(Model):
    """What is measured. unit: "share" for a share from 0 to 1, "targets" for the unit of the targets, or ""."""

    name: str = "accuracy"
    unit: str = "share"
    more_is_better: bool = True

    @classmethod
    def of(cls, metric: Measured) -> Metric:
        """Of a task's metric."""
        return cls(name=metric.name, unit=metric.unit, more_is_better=metric.more_is_better)

    @property
    def title(self) -> str:
        """The name at the start of a line: Accuracy, RMSE, R2."""
        words = self.name.replace("_", " ")
        return words[0].upper() + words[1:] if len(words) > 4 else words.upper()

    @property
    def is_share(self) -> bool:
        """Whether values are shares of samples, shown as percentages."""
        return self.unit == "share"

    def better(self, first: float, second: float) -> bool:
        """Whether the first value is better than the second."""
        return first > second if self.more_is_better else first < second


class TaskScores(Model):
    """The task, its loss, and the metric of the four networks on the test samples; None if a network was not run."""

    task: str
    loss: str
    metric: Metric
    ann: Number | None = None
    ann_int8: Number | None = None
    float: Number | None = None
    fixed: Number | None = None


class SeedRun(Model):
    """One training: its seed, the metric as trained and on the chip, spikes and typical energy of one inference."""

    seed: Count
    float: Number
    fixed: Number
    spikes: Amount
    energy_j: Amount


class Spread(Model):
    """Mean and sample standard deviation."""

    mean: Number
    std: Amount

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least two values."""
        return cls(mean=statistics.fmean(values), std=statistics.stdev(values))


class Seeds(Model):
    """The same recipe trained from several seeds, on the same split; the first is the run itself."""

    runs: tuple[SeedRun, ...]
    float: Spread
    fixed: Spread
    spikes: Spread
    energy_j: Spread

    @classmethod
    def of(cls, runs: Sequence[SeedRun]) -> Seeds:
        """Of at least two runs."""
        spreads = {
            name: Spread.of([getattr(run, name) for run in runs]) for name in ("float", "fixed", "spikes", "energy_j")
        }
        return cls(runs=tuple(runs), **spreads)


@dataclass(frozen=True)
class Scores:
    """A metric of the four networks."""

    metric: Metric
    ann: Value | None
    ann_int8: Value | None
    float: Value | None
    fixed: Value | None
