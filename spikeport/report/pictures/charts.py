"""Charts of accuracy, energy by layer, and cost compared with the ANN: text rows with a track below each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.report.scores import has_interval, score
from spikeport.report.units import DASH, estimate, percent, short_title, si, si_range
from spikeport.summary import FloatTwin, Layer, Scores

from .chart_axes import TRACK, axis, chart, heading, length, linear, logarithmic, shares, span, track
from .svg import clip, dot, element, line, rectangle

_ROW, _FOOT = 56.0, 22.0


@dataclass(frozen=True)
class CostRow:
    """The chip or one device; value: its energy or latency."""

    title: str
    detail: str
    chip: bool
    value: Estimate


def wilson(share: float, samples: int) -> tuple[float, float]:
    """95 % interval of a share measured on `samples` samples (Wilson's score interval)."""
    z = 1.959964
    square = z * z / samples
    middle = (share + square / 2) / (1 + square)
    half = z / (1 + square) * math.sqrt(share * (1 - share) / samples + square / (4 * samples))
    return max(0.0, middle - half), min(1.0, middle + half)


def interval(share: float | None, samples: int) -> str:
    """The 95 % interval in words; empty if there is none."""
    if share is None or not samples:
        return ""
    low, high = wilson(share, samples)
    return f"{100 * low:.1f}{DASH}{percent(high)}"


def answers(scores: Scores, float_twin: FloatTwin | None = None) -> list[tuple[str, str, float | None, bool]]:
    """The networks: name, number format, the metric's value, whether it is a spiking one."""
    twin: list[tuple[str, str, float | None, bool]] = []
    if float_twin is not None:
        twin = [
            ("Trained in float", "rounded after", float_twin.compiled, True),
            ("Trained in float", "float", float_twin.trained, True),
        ]
    return [
        ("Spiking network", "chip integers", scores.fixed, True),
        ("Spiking network", "float" if float_twin is None else "as trained", scores.float, True),
        *twin,
        ("ANN", "int8", scores.ann_int8, False),
        ("ANN", "float32", scores.ann, False),
    ]


def accuracy_picture(scores: Scores, samples: int, float_twin: FloatTwin | None = None) -> Markup:
    """A dot per network, with the 95 % interval of a share of samples; an axis of shares need not start at 0."""
    rows, metric = answers(scores, float_twin), scores.metric
    counted = samples if has_interval(metric) else 0
    bounds = [wilson(share, counted) if share is not None and counted else (share or 0.0,) * 2 for *_, share, _ in rows]
    known = [low for (low, _), row in zip(bounds, rows, strict=True) if row[2] is not None]
    # an R2 below 0 is drawn at 0
    scale = shares(min(known, default=0.0)) if metric.is_share else linear(max([1e-9, *known]), "")
    marks, bands, words = [], [], []
    for index, ((name, detail, share, chip), (low, high)) in enumerate(zip(rows, bounds, strict=True)):
        y = _ROW * index
        value = score(metric, share)
        marks += heading(y + 14, name, detail, value, interval(share, counted))
        if share is not None:
            marks += span(
                scale, max(0, low), max(0, share), max(0, high), y + 22 + TRACK / 2, "chip" if chip else "ann"
            )
        bands.append((y + 22, y + 22 + TRACK))
        words.append(f"{name}, {detail}: {value}")
    bottom = _ROW * len(rows) - 6
    label = f"{metric.title}{' with 95 % intervals' if counted else ''}: {'; '.join(words)}."
    return chart(label, bottom + _FOOT, [*_tracks(bands), *axis(scale, bands, bottom), *marks])


def energy_picture(layers: Sequence[Layer]) -> Markup:
    """Dynamic energy of every layer, typical values as bars from zero, ranges as lines."""
    scale = linear(max((layer.energy.high for layer in layers), default=0.0), "J")
    marks, bands, words = [], [], []
    for index, layer in enumerate(layers):
        y, energy = _ROW * index, layer.energy
        top, middle = y + 22, y + 22 + TRACK / 2
        values = si(energy.typical, "J"), si_range(energy.low, energy.high, "J")
        marks += [
            *heading(y + 14, clip(layer.name, 22), "", *values),
            rectangle(0, top + 4, scale.x(energy.typical), TRACK - 8, "bar chip", 2),
            line(scale.x(energy.low), middle, scale.x(energy.high), middle, "whisker"),
            *(line(x, middle - 5, x, middle + 5, "whisker") for x in (scale.x(energy.low), scale.x(energy.high))),
        ]
        bands.append((top, top + TRACK))
        words.append(f"{layer.name} {estimate(energy, 'J')}")
    bottom = _ROW * len(layers) - 6
    label = f"Estimated dynamic energy by layer: {', '.join(words)}."
    return chart(label, bottom + _FOOT, [*_tracks(bands), *axis(scale, bands, bottom), *marks])


def cost_picture(quantity: str, unit: str, rows: Sequence[CostRow]) -> Markup:
    """Energy or latency of one inference on a logarithmic axis; the band is the chip's range, through every row."""
    scale = logarithmic((v for row in rows for v in (row.value.low, row.value.typical, row.value.high)), unit)
    bottom = _ROW * len(rows) - 6
    marks, bands = [], []
    for index, row in enumerate(rows):
        y, value = _ROW * index, row.value
        marks += heading(y + 14, clip(short_title(row.title), 34), row.detail, si(value.typical, unit), "")
        # a logarithmic axis cannot show zero
        if value.high > 0:
            style = "chip" if row.chip else "ann"
            marks += span(scale, value.low, value.typical, value.high, y + 22 + TRACK / 2, style)
        bands.append((y + 22, y + 22 + TRACK))
    chip_band = [
        rectangle(scale.x(row.value.low), 22, length(scale.position(row.value.high) - scale.position(row.value.low)),
                  bottom - 22, "band")
        for row in rows if row.chip and row.value.high > 0
    ]  # fmt: skip
    words = "; ".join(f"{row.title}, {row.detail}: {estimate(row.value, unit)}" for row in rows)
    label = f"Estimated {quantity} of one inference, logarithmic axis: {words}."
    return chart(label, bottom + _FOOT, [*_tracks(bands), *chip_band, *axis(scale, bands, bottom), *marks])


def _tracks(bands: Sequence[tuple[float, float]]) -> list[Markup]:
    return [track(top) for top, _ in bands]


def key(style: str) -> Markup:
    """The mark of chip or ANN, for the legend."""
    marks = [line(3, 9, 31, 9, f"span {style}"), dot(17, 9, 5.5, f"point {style}")]
    return element("svg", *marks, width=36, height=18, aria_hidden="true")
