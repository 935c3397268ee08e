"""A population in the shape of its neurons: a column of dots, one image, or a stack of feature maps."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from .svg import dot, element, rectangle

GLYPH = 96.0
"""Height of the area a glyph is drawn in."""
_MOST_DOTS, _MOST_MAPS = 12, 7


def glyph(shape: Sequence[int], x: float, y: float, style: str) -> Markup:
    """Drawn around (x, y); style: the CSS class of its lines."""
    sizes = [size for size in shape if size > 1]
    if len(sizes) < 2:
        return _dots(math.prod(shape), x, y, style)
    *channels, height, width = shape
    return _maps(math.prod(channels), height, width, x, y, style)


def _dots(neurons: int, x: float, y: float, style: str) -> Markup:
    whole = neurons <= _MOST_DOTS
    shown = neurons if whole else _MOST_DOTS - 2
    pitch = min(14.0, (GLYPH - 14) / (shown if whole else _MOST_DOTS))
    radius = min(5.0, pitch * 0.4)
    rows = shown if whole else _MOST_DOTS
    first = y - pitch * (rows - 1) / 2
    half = rows / 2
    marks = [rectangle(x - 13, first - pitch / 2 - 5, 26, pitch * rows + 10, style, 13)]
    for index in range(rows):
        at = first + pitch * index
        if whole or abs(index + 0.5 - half) > 1:
            marks.append(dot(x, at, radius, "neuron"))
        else:
            # an ellipsis in the middle
            marks += [dot(x, at + shift, 1.1, "left-out") for shift in (-pitch * 0.28, pitch * 0.28)]
    return element("g", *marks)


def _maps(channels: int, height: int, width: int, x: float, y: float, style: str) -> Markup:
    shown = min(channels, _MOST_MAPS)
    offset = 5.0
    room = GLYPH - 10 - offset * (shown - 1)
    # larger images are drawn larger, by their logarithm
    side = min(room, 26 + 11 * math.log2(max(height, width, 2)))
    tall, wide = side * height / max(height, width), side * width / max(height, width)
    tall, wide = max(tall, 8.0), max(wide, 8.0)
    left = x - (wide + offset * (shown - 1)) / 2
    top = y - (tall + offset * (shown - 1)) / 2
    marks = [rectangle(left + offset * (shown - 1 - i), top + offset * i, wide, tall, style, 2.5) for i in range(shown)]
    return element("g", *marks)
