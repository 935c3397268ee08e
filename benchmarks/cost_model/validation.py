"""Accuracy of the estimates: constants fitted where no source exists, and every point estimated without itself.

A fit minimises the sum of log(estimate / measured)^2 over its points. Left out means: constants are fitted again
without the point and all others of its publication (one publication, one board, one error); if that leaves fewer points
than constants, without the point alone; if that leaves too few, the fit's `without` values are used. A median of boards
is recomputed without the publication's own, and a choice that its measurement decided is undone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import least_squares

from benchmarks.cost_model.cases import Measurement, estimate
from spikeport.hardware_profiles.quantity import Model, Name, Quantity, Text
from spikeport.hardware_profiles.schema import ChipCosts
from spikeport.hardware_profiles.toml_files import read_toml, validated
from spikeport.lava_runtime.cost_model.estimate import Estimate

Load = Callable[[str], ChipCosts]


class Fit(Model):
    """Constants of one chip (dotted names) that are fitted to measured points (CASE.POINT) together."""

    chip: Name
    constants: list[Text]
    points: list[Text]
    without: list[float] = Field(default_factory=list)
    reason: Text


class Board(Model):
    """Idle power of one board."""

    publication: Text
    power: Quantity


class Median(Model):
    """Constants of one chip whose sum is the median of the boards' power."""

    chip: Name
    constants: list[Text]
    boards: list[Board]


class Choice(Model):
    """Constants of one chip that a publication decided between: without it they would be `scale` times as large."""

    chip: Name
    constants: list[Text]
    publication: Text
    scale: float
    reason: Text


class Fitted(Model):
    """All constants that are based on measured points."""

    fits: list[Fit]
    medians: list[Median]
    choices: list[Choice] = Field(default_factory=list)


@dataclass(frozen=True)
class Checked:
    """A measured point with its estimate, and the estimate without its publication.

    left_out is None if no constant of the estimate is based on the point or its publication.
    """

    measurement: Measurement
    estimate: Estimate
    left_out: Estimate | None

    @property
    def ratio(self) -> float:
        """Typical estimate divided by the measured value."""
        return self.estimate.typical / self.measurement.point.measured.value

    @property
    def left_out_ratio(self) -> float:
        """The same for the estimate without the point; equal to `ratio` if that is not based on it."""
        unseen = self.estimate if self.left_out is None else self.left_out
        return unseen.typical / self.measurement.point.measured.value

    @property
    def inside(self) -> bool:
        """Whether the measured value is in the estimate's range."""
        return self.estimate.low <= self.measurement.point.measured.value <= self.estimate.high


def load_fitted(path: Path) -> Fitted:
    """Which constants are fitted to which points; raises InputError as `load_profile` does."""
    return validated(path, Fitted, read_toml(path))


def check(points: Sequence[Measurement], fitted: Fitted, load: Load) -> list[Checked]:
    """Every point estimated with the shipped constants and without its publication."""
    return [Checked(m, estimate(m, load(m.case.chip)), _left_out(m, points, fitted, load(m.case.chip))) for m in points]


def fit(constants: Sequence[str], points: Sequence[Measurement], chip: ChipCosts) -> list[float]:
    """The values of constants that fit the points best; raises ValueError for fewer points than constants."""
    if len(points) < len(constants):
        raise ValueError(f"{len(points)} points do not fix {len(constants)} constants")
    start = [_constant(chip, name).value for name in constants]

    def errors(scales: NDArray[np.float64]) -> list[float]:
        values = [value * float(np.exp(s)) for value, s in zip(start, scales, strict=True)]
        moved = with_constants(chip, dict(zip(constants, values, strict=True)))
        return [float(np.log(estimate(m, moved).typical / m.point.measured.value)) for m in points]

    best = least_squares(errors, np.zeros(len(constants)), xtol=1e-12, ftol=1e-12, gtol=1e-12)
    return [value * float(np.exp(s)) for value, s in zip(start, best.x, strict=True)]


def with_constants(chip: ChipCosts, values: dict[str, float]) -> ChipCosts:
    """The chip with constants changed, ends of their ranges in proportion."""
    for name, value in values.items():
        section, field = name.split(".")
        old = _constant(chip, name)
        factor = value / old.value
        low, _, high = old.bounds
        new = old.model_copy(update={"value": value, "low": low * factor, "high": high * factor})
        changed = getattr(chip, section).model_copy(update={field: new})
        chip = chip.model_copy(update={section: changed})
    return chip


def factor(ratio: float) -> float:
    """The factor by which a ratio differs from 1, in either direction."""
    return max(ratio, 1 / ratio)


def _left_out(
    measurement: Measurement, points: Sequence[Measurement], fitted: Fitted, chip: ChipCosts
) -> Estimate | None:
    own = measurement.case.publication
    moved = chip
    for median_of in fitted.medians:
        others = [b.power.value for b in median_of.boards if b.publication != own]
        if median_of.chip == measurement.case.chip and others and len(others) < len(median_of.boards):
            scale = median(others) / median([b.power.value for b in median_of.boards])
            moved = with_constants(moved, {name: _constant(moved, name).value * scale for name in median_of.constants})
    for choice in fitted.choices:
        if choice.chip == measurement.case.chip and choice.publication == own:
            values = {name: _constant(moved, name).value * choice.scale for name in choice.constants}
            moved = with_constants(moved, values)
    for one in fitted.fits:
        named = _named(one.points, points)
        if one.chip == measurement.case.chip and any(m.case.publication == own for m in named):
            rest = _rest(measurement, named, len(one.constants))
            values = fit(one.constants, rest, moved) if rest else one.without
            moved = with_constants(moved, dict(zip(one.constants, values, strict=True)))
    return None if moved is chip else estimate(measurement, moved)


def _rest(measurement: Measurement, named: list[Measurement], needed: int) -> list[Measurement]:
    """The points to fit without one: without its publication, else without itself, else none."""
    strangers = [m for m in named if m.case.publication != measurement.case.publication]
    if len(strangers) >= needed:
        return strangers
    others = [m for m in named if m.label != measurement.label]
    return others if len(others) >= needed else []


def _named(labels: Iterable[str], points: Sequence[Measurement]) -> list[Measurement]:
    by_label = {m.label: m for m in points}
    return [by_label[label] for label in labels]


def _constant(chip: ChipCosts, name: str) -> Quantity:
    section, field = name.split(".")
    quantity = getattr(getattr(chip, section), field)
    if not isinstance(quantity, Quantity):
        raise ValueError(f"{chip.name} has no constant {name}")
    return quantity
