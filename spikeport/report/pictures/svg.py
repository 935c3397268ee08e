"""Small SVG pictures from plain functions; every text is escaped, numbers are short, colours come from the page."""

from __future__ import annotations

import math
from collections.abc import Iterable

from markupsafe import Markup, escape

Attribute = str | float | None
Length = float | str
"""User units, or text such as 12.5%."""

WIDTH = 720.0


def number(value: float) -> str:
    """A coordinate with at most one decimal, the same on every machine."""
    text = f"{value:.1f}"
    return "0" if text in ("-0.0", "0.0") else text.removesuffix(".0")


def element(tag: str, /, *children: Markup | str, **attributes: Attribute) -> Markup:
    """One element; `class_` and `stroke_width` become class and stroke-width, None leaves an attribute out."""
    markup = Markup("").join(
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), number(v) if isinstance(v, (int, float)) else v)
        for name, v in attributes.items()
        if v is not None
    )
    # tag names and attribute names are ours; only values and children can carry foreign text
    return Markup(f"<{tag}") + markup + Markup(">") + Markup("").join(escape(c) for c in children) + Markup(f"</{tag}>")


def picture(label: str, height: float, children: Iterable[Markup], width: float = WIDTH) -> Markup:
    """A complete drawing; label: for screen readers."""
    return element(
        "svg", *children, viewBox=f"0 0 {number(width)} {number(height)}", width=width, height=height, role="img",
        aria_label=label, style=f"--least: {number(0.72 * width)}px; --most: {number(width)}px", class_="drawing",
    )  # fmt: skip


def standalone(label: str, height: float, children: Iterable[Markup], style: str, width: float = WIDTH) -> Markup:
    """A drawing that is a file of its own: `style` is our own CSS, as there is no page around it."""
    # CSS is not escaped: a quotation mark in it must stay one
    sheet = Markup("<style>") + Markup(style) + Markup("</style>")
    return element(
        "svg", sheet, *children, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {number(width)} {number(height)}",
        width=width, height=height, role="img", aria_label=label,
    )  # fmt: skip


def text(x: Length, y: float, content: str, class_: str | None = None, anchor: str | None = None) -> Markup:
    """A line of text; anchor: start, middle or end."""
    return element("text", content, x=x, y=y, class_=class_, text_anchor=anchor)


def line(x1: Length, y1: float, x2: Length, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def rectangle(x: Length, y: float, width: Length, height: float, class_: str, radius: float | None = None) -> Markup:
    """A rectangle, its corners rounded if asked."""
    return element("rect", x=x, y=y, width=width, height=height, class_=class_, rx=radius)


def dot(x: Length, y: float, radius: float, class_: str) -> Markup:
    """A filled circle."""
    return element("circle", cx=x, cy=y, r=radius, class_=class_)


def path(d: str, class_: str, marker_end: str | None = None) -> Markup:
    """A path."""
    return element("path", d=d, class_=class_, marker_end=marker_end)


def clip(content: str, characters: int) -> str:
    """Text shortened in the middle to at most `characters`."""
    if len(content) <= characters:
        return content
    head = characters // 2
    return f"{content[:head]}…{content[len(content) - (characters - 1 - head) :]}"


def round_ticks(top: float, count: int = 5) -> list[float]:
    """Round numbers from zero up to at least `top`."""
    if top <= 0:
        return [0.0, 1.0]
    raw = top / count
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * m for m in (1, 2, 2.5, 5, 10) if size * m >= raw * (1 - 1e-9))
    return [step * i for i in range(math.ceil(top / step - 1e-9) + 1)]
