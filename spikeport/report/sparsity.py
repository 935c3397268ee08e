"""sparsity.json: accuracy and energy at several spike penalties, as a curve and a table.

The file is in the run's folder if its recipe was trained at several spike penalties:

    {"test_samples": 360, "points": [{"penalty": 0.001, "target": [], "accuracy": 0.97, "spikes": 400.0,
      "energy_j": 1e-5, "energy_low_j": 3e-6, "energy_high_j": 6e-5}, ...]}

penalty, target: spike penalty and target rates in training (trainer/loop/spike_penalty.py); accuracy: on the test
samples, in chip integers; spikes and energy: of one inference. This run may be one of the points.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path

from markupsafe import Markup
from pydantic import ValidationError

from spikeport.common.errors import InputError, reason
from spikeport.common.text_files import read_json_file
from spikeport.report.pictures.chart_axes import chart, length, logarithmic, shares
from spikeport.report.pictures.charts import interval, wilson
from spikeport.report.pictures.svg import dot, line, text
from spikeport.summary import Amount, Count, Energy, Model, Share

from .units import count, estimate, percent, significant

_TOP, _HEIGHT, _FOOT, _LEFT = 14.0, 230.0, 42.0, 0.09


class SparsityPoint(Energy):
    """One training of the network."""

    penalty: Amount = 0.0
    target: tuple[Share, ...] = ()
    accuracy: Share
    spikes: Amount

    @property
    def settings(self) -> str:
        """Penalty and target rates of training, in words."""
        rates = ", ".join(significant(rate, 2) for rate in self.target)
        words = [f"penalty {self.penalty:g}"] if self.penalty else []
        words += [f"rate {rates}"] if rates else []
        return ", ".join(words) or "none"


class SparsityCurve(Model):
    """Trainings of one network at several spike penalties, on the same test samples."""

    test_samples: Count
    points: tuple[SparsityPoint, ...]

    @property
    def ordered(self) -> list[SparsityPoint]:
        """From few spikes to many."""
        return sorted(self.points, key=lambda point: (point.spikes, point.accuracy))


def read_sparsity(path: Path) -> SparsityCurve | None:
    """The curve, None if there is none; raises InputError if the file is truncated or lacks a field."""
    if not path.exists():
        return None
    try:
        curve = SparsityCurve.model_validate(read_json_file(path))
    except ValidationError as error:
        field = ".".join(map(str, error.errors()[0]["loc"])) or "the whole file"
        raise InputError(f"{path}: field {field}: {error.errors()[0]['msg']}; create the curve again") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: is truncated or not JSON ({reason(error)}); create the curve again") from error
    return curve if curve.points else None


def sparsity_picture(curve: SparsityCurve) -> Markup:
    """Accuracy against energy on a logarithmic axis, one dot per training, with its settings."""
    points = curve.ordered
    spans = [wilson(p.accuracy, curve.test_samples or 1) for p in points]
    across = logarithmic((v for p in points for v in (p.energy.low, p.energy.typical, p.energy.high)), "J")
    up = shares(min(low for low, _ in spans))

    def x(value: float) -> str:
        return length(_LEFT + (1 - _LEFT) * across.position(value))

    def y(value: float) -> float:
        return _TOP + _HEIGHT * (1 - up.position(value))

    marks = []
    for value, label in up.ticks:
        marks += [line(length(_LEFT), y(value), "100%", y(value), "grid"), text(0, y(value) + 4, label, "small soft")]
    for value, label in across.ticks:
        anchor = "end" if math.isclose(across.position(value), 1) else "middle"
        marks += [line(x(value), _TOP, x(value), _TOP + _HEIGHT, "grid"),
                  text(x(value), _TOP + _HEIGHT + 16, label, "small soft", anchor)]  # fmt: skip
    marks += [
        line(x(a.energy.typical), y(a.accuracy), x(b.energy.typical), y(b.accuracy), "curve")
        for a, b in itertools.pairwise(points)
    ]
    for point, (low, high) in zip(points, spans, strict=True):
        at, level = x(point.energy.typical), y(point.accuracy)
        marks += [
            line(x(point.energy.low), level, x(point.energy.high), level, "faint"),
            line(at, y(low), at, y(high), "faint"),
            dot(at, level, 5.5, "point chip"),
        ]
    marks.append(text("100%", _TOP + _HEIGHT + 34, "energy of one inference, estimate", "small", "end"))
    words = "; ".join(f"{p.settings}: accuracy {percent(p.accuracy)} at {estimate(p.energy, 'J')}" for p in points)
    return chart(f"Accuracy against energy, by spike penalty in training: {words}.", _TOP + _HEIGHT + _FOOT, marks)


def sparsity_rows(curve: SparsityCurve) -> list[list[str]]:
    """One row per training, from few spikes to many."""
    return [
        [p.settings, count(p.spikes), percent(p.accuracy), interval(p.accuracy, curve.test_samples),
         estimate(p.energy, "J")]
        for p in curve.ordered
    ]  # fmt: skip
