"""Gates: bounds on energy, latency, accuracy and agreement that a result must keep, for continuous integration."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from spikeport.common.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from spikeport.summary import Summary

_PREFIXES = {"": 1.0, "m": 1e-3, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "n": 1e-9, "p": 1e-12}
_QUANTITY = re.compile(r"([0-9.]+(?:[eE][-+]?[0-9]+)?)\s*([munpµμ]?)([Js]?)")


@dataclass(frozen=True)
class Measured:
    """What gates are compared with: joules and seconds of one inference, shares of the samples; None: not measured.

    score: the value of the task's metric on the chip; metric, more_is_better: its name and direction.
    """

    energy: float | None = None
    latency: float | None = None
    accuracy: float | None = None
    agreement: float | None = None
    score: float | None = None
    metric: str = "accuracy"
    more_is_better: bool = True


@dataclass(frozen=True)
class MetricBound:
    """The worst value of a task's metric, by the metric's name, that is allowed on the chip."""

    name: str
    value: float

    def failure(self, measured: Measured) -> str | None:
        """A sentence if the value is worse; raises InputError if no metric was measured."""
        if measured.score is None:
            raise InputError(f"--metric: {self.name} was not measured here; no metric was measured")
        worse = measured.score < self.value if measured.more_is_better else measured.score > self.value
        relation = "less than" if measured.more_is_better else "more than"
        return f"--metric: {self.name} is {measured.score:.4g}, {relation} {self.value:.4g}" if worse else None


@dataclass(frozen=True)
class Gates:
    """Bounds that a result must keep, None: no bound.

    max_energy, max_latency: typical estimate for one inference, J and s. min_accuracy: of the chip's integers.
    min_agreement: share of the samples for which float and chip give the same answer. metric: of the task's metric.
    """

    max_energy: float | None = None
    max_latency: float | None = None
    min_accuracy: float | None = None
    min_agreement: float | None = None
    metric: MetricBound | None = None

    @property
    def given(self) -> bool:
        """Whether there is any bound."""
        return any(getattr(self, field.name) is not None for field in fields(self))

    def check_metric(self, name: str) -> None:
        """Raise InputError for a bound on another metric than that of the task, `name`."""
        if self.min_accuracy is not None and name != "accuracy":
            raise InputError(
                f"--min-accuracy: accuracy was not measured here; the metric here is {name}: give --metric {name}=BOUND"
            )
        if self.metric is not None and self.metric.name != name:
            raise InputError(f"--metric: {self.metric.name} was not measured here; the metric here is {name}")

    def failures(self, measured: Measured) -> list[str]:
        """A sentence for every bound that is not kept; raises InputError for one on what was not measured."""
        if measured.score is not None:
            self.check_metric(measured.metric)
        sentences = []
        for field in fields(self):
            bound = getattr(self, field.name)
            if bound is None:
                continue
            if isinstance(bound, MetricBound):
                sentences += [failure] if (failure := bound.failure(measured)) else []
                continue
            kind, _, name = field.name.partition("_")
            value, flag = getattr(measured, name), f"--{field.name.replace('_', '-')}"
            if value is None:
                raise InputError(f"{flag}: {name} was not measured here; give labels or a run that has it")
            if value > bound if kind == "max" else value < bound:
                relation = "more than" if kind == "max" else "less than"
                sentences.append(f"{flag}: {name} is {_shown(value, name)}, {relation} {_shown(bound, name)}")
        return sentences


NO_GATES = Gates()


def kept(gates: Gates, measured: Measured, console: Console, chip: str = "") -> bool:
    """Whether every bound is kept; prints a sentence for each that is not, about `chip` where there are several."""
    failures = gates.failures(measured)
    for sentence in failures:
        sentence = f"{chip}: {sentence}" if chip else sentence
        console.print(sentence, style="bold red", highlight=False, soft_wrap=True, markup=False)
    return not failures


def of_summary(summary: Summary) -> Measured:
    """The figures of a finished run."""
    chip, scores = summary.per_inference, summary.scores
    return Measured(
        None if chip is None else chip.energy_j,
        None if chip is None else chip.latency_s,
        summary.accuracy.fixed,
        summary.agreement,
        scores.fixed,
        scores.metric.name,
        scores.metric.more_is_better,
    )


def quantity(flag: str, text: str, unit: str) -> float:
    """A number with an SI prefix and a unit, both optional: 20uJ, 0.02 mJ, 2e-5. Raises InputError."""
    match = _QUANTITY.fullmatch(text.strip())
    try:
        if match is None or match[3] not in ("", unit) or (match[2] and not match[3]):
            raise ValueError
        return float(match[1]) * _PREFIXES[match[2]]
    except ValueError:
        raise InputError(f"{flag} {text!r}: give a number of {unit}, with a prefix if wanted, as 20u{unit}") from None


def share(flag: str, text: str) -> float:
    """A share as a fraction or percentage: 0.97, 97%. Raises InputError."""
    number = text.strip().removesuffix("%").strip()
    try:
        value = float(number) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise InputError(f"{flag} {text!r}: give a share from 0 to 1, or a percentage as 97%")
    return value


def metric_bound(flag: str, text: str) -> MetricBound:
    """A bound on a metric: rmse=0.13, f1=90%. Raises InputError."""
    # --help stays quick
    from spikeport.trainer.tasks.metrics import SHARES

    name, _, number = text.partition("=")
    name, number = name.strip(), number.strip()
    try:
        value = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except ValueError:
        value = math.nan
    if not name or not math.isfinite(value):
        raise InputError(f"{flag} {text!r}: give a metric and its worst value, as rmse=0.13 or f1=90%")
    if name in SHARES and not 0 <= value <= 1:
        hint = f"{name}={number}%" if 1 < value <= 100 else f"{name}=90%"
        raise InputError(f"{flag} {text!r}: {name} is a share from 0 to 1; give a percentage as {hint}")
    return MetricBound(name, value)


def _shown(value: float, name: str) -> str:
    if name in ("energy", "latency"):
        from spikeport.report.units import si

        return si(value, "J" if name == "energy" else "s")
    return f"{value:.4g}"
