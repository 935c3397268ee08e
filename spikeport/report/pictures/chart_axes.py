"""Charts as wide as the page: x coordinates are shares of the width, so text keeps its size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from spikeport.report.units import percent, plain, si

from .svg import dot, element, line, rectangle, round_ticks, text

TRACK = 22.0


@dataclass(frozen=True)
class Scale:
    """Maps numbers to shares of the width, from `first` to `last` (logarithms if logarithmic); labelled ticks."""

    first: float
    last: float
    ticks: tuple[tuple[float, str], ...]
    logarithmic: bool = False

    def position(self, value: float) -> float:
        """The share of the width of a value, clamped to the edges."""
        if self.logarithmic:
            value = math.log10(value) if value > 0 else self.first
        return min(1.0, max(0.0, (value - self.first) / (self.last - self.first)))

    def x(self, value: float) -> str:
        """The same as an SVG length."""
        return length(self.position(value))


def linear(top: float, unit: str, count: int = 4) -> Scale:
    """From zero to at least `top`, in round numbers."""
    ticks = round_ticks(top, count)
    return Scale(0.0, ticks[-1], tuple((tick, si(tick, unit) if unit else plain(tick)) for tick in ticks))


def logarithmic(values: Iterable[float], unit: str, labels: int = 5) -> Scale:
    """Whole decades around the values above zero; at most `labels` of them are labelled."""
    positive = [value for value in values if value > 0]
    first = math.floor(math.log10(min(positive, default=1e-6)) + 1e-9)
    last = max(first + 1, math.ceil(math.log10(max(positive, default=1e-5)) - 1e-9))
    every = -(-(last - first) // (labels - 1))
    ticks = tuple((10.0**e, si(10.0**e, unit, 1) if unit else plain(10.0**e)) for e in range(first, last + 1, every))
    return Scale(first, last, ticks, True)


def shares(low: float) -> Scale:
    """From a round share at or below `low` to 100 %."""
    first = next(s for s in (0.99, 0.98, 0.95, 0.9, 0.8, 0.5, 0.0) if s <= low or s == 0.0)
    middle = (first + 1) / 2
    ticks = ((s, percent(s, 0 if (100 * s).is_integer() else 1)) for s in (first, middle, 1.0))
    return Scale(first, 1.0, tuple(ticks))


def length(share: float) -> str:
    """A share of the width as an SVG length, the same on every machine."""
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + "%"


def chart(label: str, height: float, children: Iterable[Markup], class_: str = "fluid") -> Markup:
    """A complete chart; label: for screen readers."""
    return element("svg", *children, width="100%", height=height, role="img", aria_label=label, class_=class_)


def axis(scale: Scale, bands: Sequence[tuple[float, float]], y: float) -> list[Markup]:
    """Grid lines through the bands (top, bottom) only, so that they cross no text; labels below y."""
    marks: list[Markup] = []
    for value, label in scale.ticks:
        share = scale.position(value)
        x = length(share)
        marks += [line(x, top, x, bottom, "grid") for top, bottom in bands]
        anchor = "start" if share < 0.04 else "end" if share > 0.96 else "middle"
        marks.append(text(x, y + 15, label, "small soft", anchor))
    return marks


def span(scale: Scale, low: float, typical: float, high: float, y: float, style: str) -> list[Markup]:
    """A range as a line with its typical value as a dot."""
    return [
        line(scale.x(low), y, scale.x(high), y, f"span {style}"),
        dot(scale.x(typical), y, 5.5, f"point {style}"),
    ]


def heading(y: float, name: str, detail: str, value: str, bounds: str) -> list[Markup]:
    """The text above a track: name and detail at the left, value and bounds at the right."""
    return [
        element(
            "text", element("tspan", name, class_="strong"), element("tspan", f"  {detail}" if detail else "",
            class_="soft"), x=0, y=y,
        ),
        element(
            "text", element("tspan", value, class_="strong"), element("tspan", f"  {bounds}" if bounds else "",
            class_="soft"), x="100%", y=y, text_anchor="end",
        ),
    ]  # fmt: skip


def track(y: float, height: float = TRACK) -> Markup:
    """The background of a row's marks."""
    return rectangle(0, y, "100%", height, "track", 3)
