"""Accuracy, energy by layer, and chip beside ANN: the three charts of the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from lava_runtime.costs import Range

from .model import Accuracies, Layer
from .svg import WIDTH, clip, dot, element, line, picture, rectangle, round_ticks, text, whisker
from .units import DASH, NOT_RUN, percent, short_title, si, si_range

_AXIS = 30.0


@dataclass(frozen=True)
class Competitor:
    """One line of chip beside ANN."""

    title: str
    detail: str
    chip: bool
    energy: Range
    dynamic: Range
    static: Range


def wilson(share: float, samples: int) -> tuple[float, float]:
    """95 % interval of a share seen on `samples` samples (Wilson's score interval)."""
    z = 1.959964
    square = z * z / samples
    middle = (share + square / 2) / (1 + square)
    half = z / (1 + square) * math.sqrt(share * (1 - share) / samples + square / (4 * samples))
    return max(0.0, middle - half), min(1.0, middle + half)


def accuracy_picture(accuracy: Accuracies, samples: int) -> Markup:
    """Four bars from zero, with the interval that the number of test samples leaves."""
    rows = [
        ("ANN, float32", accuracy.ann, "ann"),
        ("ANN, int8", accuracy.ann_int8, "ann"),
        ("SNN, float", accuracy.float, "chip"),
        ("SNN, chip integers", accuracy.fixed, "chip"),
    ]
    left, right, row = 150.0, 200.0, 34.0
    width, height = WIDTH - left - right, row * len(rows)
    children = [_grid(left + width * s, height, percent(s, 0)) for s in (0.0, 0.25, 0.5, 0.75, 1.0)]
    words = []
    for index, (name, share, style) in enumerate(rows):
        y = row * index + row / 2
        children.append(text(0, y + 4, name))
        if share is None:
            children.append(text(left + 8, y + 4, NOT_RUN, "soft"))
            words.append(f"{name} {NOT_RUN}")
            continue
        children.append(rectangle(left, y - 9, width * share, 18, f"bar {style}", 2))
        said = percent(share)
        if samples:
            low, high = wilson(share, samples)
            children.append(whisker(left + width * low, left + width * high, y, 5, "whisker"))
            said += f"  ({100 * low:.1f}{DASH}{100 * high:.1f})"
        children.append(text(left + width + 18, y + 4, said, "figure"))
        words.append(f"{name} {percent(share)}")
    return picture(f"Bar chart of accuracy: {', '.join(words)}.", height + _AXIS, children)


def energy_picture(layers: Sequence[Layer]) -> Markup:
    """Dynamic energy of every layer, typical value as bar, range as whisker."""
    left, right, row = 150.0, 200.0, 34.0
    width, height = WIDTH - left - right, row * len(layers)
    ticks = round_ticks(max((layer.energy.high for layer in layers), default=0.0), 4)
    top = ticks[-1]
    children = [_grid(left + width * tick / top, height, si(tick, "J")) for tick in ticks]
    words = []
    for index, layer in enumerate(layers):
        y, energy = row * index + row / 2, layer.energy
        low, typical, high = (left + width * value / top for value in (energy.low, energy.typical, energy.high))
        children += [
            text(0, y + 4, clip(layer.name, 20)),
            rectangle(left, y - 9, typical - left, 18, "bar chip", 2),
            whisker(low, high, y, 5, "whisker"),
            text(left + width + 18, y + 4, _estimate(energy), "figure"),
        ]
        words.append(f"{layer.name} {_estimate(energy)}")
    return picture(f"Bar chart of estimated dynamic energy by layer: {', '.join(words)}.", height + _AXIS, children)


def contest_picture(rows: Sequence[Competitor]) -> Markup:
    """Energy of one inference on a logarithmic axis; the band is the chip's range, drawn through every row."""
    left, right, row, head = 226.0, 128.0, 52.0, 30.0
    width, height = WIDTH - left - right, head + row * len(rows)
    values = [v for r in rows for part in (r.energy, r.dynamic, r.static) for v in (part.low, part.high) if v > 0]
    first = math.floor(math.log10(min(values, default=1e-9)))
    last = max(first + 1, math.ceil(math.log10(max(values, default=1e-6))))

    def place(value: float) -> float:
        if value <= 0:
            return left
        return left + width * (math.log10(value) - first) / (last - first)

    every = 1 if last - first <= 7 else 2
    children = [_legend(left)]
    chips = [r.energy for r in rows if r.chip and r.energy.high > 0]
    for energy in chips:
        children.append(
            rectangle(place(energy.low), head, place(energy.high) - place(energy.low), height - head, "band")
        )
    children += [_grid(place(10.0**e), height, si(10.0**e, "J", 1), head) for e in range(first, last + 1, every)]
    for index, competitor in enumerate(rows):
        children += _contest_row(competitor, head + row * index + row / 2, place)
    words = "; ".join(f"{r.title}, {r.detail}: {_estimate(r.energy)}" for r in rows)
    return picture(f"Estimated energy of one inference, logarithmic axis: {words}.", height + _AXIS, children)


def _contest_row(row: Competitor, y: float, place: Callable[[float], float]) -> list[Markup]:
    side = "chip" if row.chip else "ann"
    marks = [
        text(0, y - 4, clip(short_title(row.title), 32), "strong"),
        text(0, y + 12, row.detail, "small soft"),
        text(WIDTH, y - 4, si(row.energy.typical, "J"), "figure strong", "end"),
        text(WIDTH, y + 12, si_range(row.energy.low, row.energy.high, "J"), "figure small soft", "end"),
    ]
    for part, shift, style in ((row.energy, -8, "total"), (row.dynamic, 5, "dynamic"), (row.static, 14, "static")):
        # a logarithmic axis has no place for nothing
        if part.high > 0:
            marks.append(line(place(part.low), y + shift, place(part.high), y + shift, f"span {style} {side}"))
            marks.append(dot(place(part.typical), y + shift, 4.5 if style == "total" else 3, f"point {style} {side}"))
    return marks


def _legend(left: float) -> Markup:
    items, x = [], left
    for style, word in (("total", "total"), ("dynamic", "dynamic share"), ("static", "static share")):
        items += [line(x, 9, x + 22, 9, f"span {style} plain"), text(x + 28, 13, word, "small")]
        x += 54 + 6.2 * len(word)
    items += [rectangle(x, 2, 22, 14, "band"), text(x + 28, 13, "range of the chip", "small")]
    return element("g", *items)


def _grid(x: float, height: float, label: str, top: float = 0.0) -> Markup:
    return element("g", line(x, top, x, height, "grid"), text(x, height + 18, label, "small soft", "middle"))


def _estimate(value: Range) -> str:
    return f"{si(value.typical, 'J')}  ({si_range(value.low, value.high, 'J')})"
