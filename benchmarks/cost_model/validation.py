"""Accuracy of the estimates: constants fitted where no source exists, every point estimated without its publication.

A fit minimises the sum of log(estimate / measured)^2 over its points. Left out means: nothing that came from the
point's publication is used, neither its other points nor its board nor a constant that it measured or decided. Fits
are made again with the points of other publications, medians computed again without its boards, choices undone. Where
that leaves a constant without any source and the estimate depends on it, the point is not possible: it is listed and
not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from benchmarks.cost_model.cases import Case, Measurement, estimate
from benchmarks.cost_model.fitted import Fit, Fitted, Median
from spikeport.hardware_profiles.quantity import Quantity
from spikeport.hardware_profiles.schema import ChipCosts
from spikeport.lava_runtime.cost_model.estimate import Estimate

Load = Callable[[str], ChipCosts]
LEAST_SPREAD = 1.5
"""A median of boards is taken to be wrong by this factor at least, in either direction."""


@dataclass(frozen=True)
class Checked:
    """A measured point with its estimate, and the estimate without its publication.

    left_out is None if it is not possible. before: the same for the description before its ratio was seen.
    """

    measurement: Measurement
    estimate: Estimate
    left_out: Estimate | None
    before: Estimate | None = None

    @property
    def measured(self) -> float:
        """The measured value."""
        return self.measurement.point.measured.value

    @property
    def ratio(self) -> float:
        """Typical estimate divided by the measured value."""
        return self.estimate.typical / self.measured

    @property
    def counted(self) -> Estimate | None:
        """The left-out estimate that counts: of the description now and before, the one that misses by more."""
        found = [one for one in (self.left_out, self.before) if one is not None]
        return max(found, key=lambda one: factor(one.typical / self.measured)) if self.left_out else None

    @property
    def left_out_ratio(self) -> float | None:
        """Typical left-out estimate divided by the measured value."""
        return None if self.counted is None else self.counted.typical / self.measured

    @property
    def inside(self) -> bool:
        """Whether the measured value is in the left-out range, or, where that is not possible, in the range."""
        return contains(self.counted or self.estimate, self.measured)


def check(
    points: Sequence[Measurement],
    fitted: Fitted,
    load: Load,
    before: Mapping[str, Case] | None = None,
    basis: Sequence[Measurement] | None = None,
) -> list[Checked]:
    """Every point estimated with the shipped constants and without its publication.

    before: earlier cases by name. basis: the points that constants are fitted to, if they are others.
    """
    checked, basis = [], points if basis is None else basis
    for m in points:
        chip = load(m.case.chip)
        earlier = (before or {}).get(m.case.name)
        was = None if earlier is None else left_out(Measurement(earlier, m.name), basis, fitted, chip)
        checked.append(Checked(m, estimate(m, chip), left_out(m, basis, fitted, chip), was))
    return checked


def contains(estimate: Estimate, value: float) -> bool:
    """Whether a value is in an estimate's range."""
    return estimate.low <= value <= estimate.high


def width(estimate: Estimate) -> float:
    """The upper end of a range divided by the lower one."""
    return estimate.high / estimate.low if estimate.low > 0 else float("inf")


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


def spread(powers: Sequence[float]) -> tuple[float, float, float]:
    """Low, typical and high of boards: extremes and median, the ends at least LEAST_SPREAD away."""
    middle = median(powers)
    return min(min(powers), middle / LEAST_SPREAD), middle, max(max(powers), middle * LEAST_SPREAD)


def with_constants(chip: ChipCosts, values: Mapping[str, float]) -> ChipCosts:
    """The chip with constants changed, ends of their ranges in proportion."""
    for name, value in values.items():
        low, old, high = _constant(chip, name).bounds
        scale = value / old if old else 1.0
        chip = _replaced(chip, name, (low * scale, value, high * scale))
    return chip


def factor(ratio: float) -> float:
    """The factor by which a ratio differs from 1, in either direction."""
    return max(ratio, 1 / ratio) if ratio > 0 else float("inf")


def left_out(
    measurement: Measurement, points: Sequence[Measurement], fitted: Fitted, chip: ChipCosts
) -> Estimate | None:
    """The estimate of a point without anything that came from its publication; None if that is not possible."""
    own, moved = measurement.case.publication, chip
    basis = fitted.of(measurement.case.chip)
    missing: list[str] = []
    if any(board.publication == own for one in basis.medians for board in one.boards):
        moved, missing = with_medians(moved, basis.medians, own)
    for choice in basis.choices:
        if choice.publication == own:
            for name in choice.constants:
                moved = _replaced(moved, name, _both(_constant(moved, name), choice.scale))
    for origin in basis.origins:
        if origin.publication == own and origin.without:
            moved = _with_bounds(moved, origin.constants, origin.without)
        elif origin.publication == own:
            missing += origin.constants
    for one_fit in basis.fits:
        moved, gone = _without_points(one_fit, own, _named(one_fit.points, points), moved)
        missing += gone
    depends = any(_depends(measurement, moved, name) for name in missing)
    return None if depends else estimate(measurement, moved)


def with_medians(chip: ChipCosts, medians: Sequence[Median], left_out: str = "") -> tuple[ChipCosts, list[str]]:
    """The chip with the medians of boards, one publication's left out, and the constants that no board is left for."""
    missing = []
    for one in medians:
        powers = [board.net(chip.power) for board in one.boards if board.publication != left_out]
        if powers:
            chip = _replaced(chip, one.constant, spread(powers))
        else:
            missing.append(one.constant)
    return chip, missing


def _without_points(one: Fit, own: str, named: list[Measurement], chip: ChipCosts) -> tuple[ChipCosts, list[str]]:
    """The chip with constants fitted to other publications' points, or the constants that cannot be."""
    strangers = [m for m in named if m.case.publication != own]
    if len(strangers) == len(named):
        return chip, []
    if len(strangers) >= len(one.constants):
        values = fit(one.constants, strangers, chip)
        return with_constants(chip, dict(zip(one.constants, values, strict=True))), []
    return (_with_bounds(chip, one.constants, one.without), []) if one.without else (chip, list(one.constants))


def _both(constant: Quantity, scale: float) -> tuple[float, float, float]:
    """Low, typical and high of the alternative that was not chosen; its range contains both."""
    low, value, high = constant.bounds
    return min(low, low * scale), value * scale, max(high, high * scale)


def _with_bounds(chip: ChipCosts, names: Sequence[str], bounds: Sequence[Sequence[float]]) -> ChipCosts:
    """The chip with constants and their ranges changed."""
    for name, (low, value, high) in zip(names, bounds, strict=True):
        chip = _replaced(chip, name, (low, value, high))
    return chip


def _depends(measurement: Measurement, chip: ChipCosts, name: str) -> bool:
    """Whether an estimate changes with a constant."""
    more = with_constants(chip, {name: _constant(chip, name).value * 2})
    return estimate(measurement, more) != estimate(measurement, chip)


def _named(labels: Iterable[str], points: Sequence[Measurement]) -> list[Measurement]:
    by_label = {m.label: m for m in points}
    return [by_label[label] for label in labels]


def _replaced(chip: ChipCosts, name: str, bounds: tuple[float, float, float]) -> ChipCosts:
    section, field = name.split(".")
    low, value, high = bounds
    new = _constant(chip, name).model_copy(update={"low": low, "value": value, "high": high})
    changed = getattr(chip, section).model_copy(update={field: new})
    return chip.model_copy(update={section: changed})


def _constant(chip: ChipCosts, name: str) -> Quantity:
    section, field = name.split(".")
    quantity = getattr(getattr(chip, section), field)
    if not isinstance(quantity, Quantity):
        raise ValueError(f"{chip.name} has no constant {name}")
    return quantity
