"""The mesh of a chip's cores as a heat map: how full each is, and which layer lies there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from .model import Mapping
from .svg import element, number, rectangle, text
from .units import percent, plain, plural

_CELL, _SPACE, _MOST_CHIPS = 30.0, 3.0, 6


@dataclass(frozen=True)
class Core:
    """A core that is used: its place on its chip's mesh, the layers on it by number, and the share of a limit used."""

    chip: int
    x: int
    y: int
    layers: tuple[int, ...]
    fill: float


@dataclass(frozen=True)
class Mesh:
    """One chip's map, with its title."""

    title: str
    picture: Markup


def in_order(mapping: Mapping) -> list[Core]:
    """Cores as the layers follow each other, row by row: for a mapping that counts cores and gives them no place."""
    width, _ = mesh_size(mapping.cores_per_chip)
    cores: list[Core] = []
    for index, layer in enumerate(mapping.layers, start=1):
        for _ in range(layer.cores):
            chip, place = divmod(len(cores), max(1, mapping.cores_per_chip))
            cores.append(Core(chip, place % width, place // width, (index,), layer.fill))
            # what lies on chips that are not drawn is counted in the table
            if chip >= _MOST_CHIPS:
                return cores
    return cores


def mesh_size(cores: int) -> tuple[int, int]:
    """Columns and rows of a mesh of so many cores, about twice as wide as high."""
    width = max(1, math.ceil(math.sqrt(2 * cores)))
    return width, math.ceil(cores / width)


def core_maps(cores: Sequence[Core], cores_per_chip: int, size: tuple[int, int] | None = None) -> list[Mesh]:
    """A map for each of the first chips."""
    size = size or mesh_size(cores_per_chip)
    chips = sorted({core.chip for core in cores})[:_MOST_CHIPS]
    return [
        Mesh(
            f"Chip {chip + 1}",
            _mesh([core for core in cores if core.chip == chip], cores_per_chip, size, f"chip {chip + 1}"),
        )
        for chip in chips
    ]


def _mesh(cores: Sequence[Core], cores_per_chip: int, size: tuple[int, int], name: str) -> Markup:
    width, height = size
    used = {(core.x, core.y): core for core in cores}
    marks = []
    for place in range(min(cores_per_chip, width * height)):
        x, y = place % width, place // width
        marks.append(_cell(x, y, used.get((x, y))))
    fullest = max((core.fill for core in cores), default=0.0)
    label = (
        f"Heat map of {name}: {plural(len(cores), 'core')} of {plain(cores_per_chip)} used, "
        f"the fullest to {percent(fullest, 0)} of its nearest limit."
    )
    wide, high = width * _CELL + _SPACE, height * _CELL + _SPACE
    return element(
        "svg", *marks, viewBox=f"0 0 {number(wide)} {number(high)}", width=wide, height=high, role="img",
        aria_label=label, class_="mesh",
    )  # fmt: skip


def _cell(x: int, y: int, core: Core | None) -> Markup:
    left, top, side = x * _CELL + _SPACE, y * _CELL + _SPACE, _CELL - _SPACE
    if core is None:
        return rectangle(left, top, side, side, "core free", 3)
    words = "+".join(map(str, core.layers)) if len(core.layers) < 3 else f"{core.layers[0]}…"
    return element(
        "g",
        rectangle(left, top, side, side, "core", 3),
        element("rect", x=left, y=top, width=side, height=side, rx=3, class_="heat",
                fill_opacity=f"{min(1.0, 0.08 + 0.92 * core.fill):.2f}"),
        text(left + side / 2, top + side / 2 + 4, words, "small hot" if core.fill > 0.55 else "small", "middle"),
    )  # fmt: skip


def heat_key() -> Markup:
    """The colours from empty to full."""
    steps = 24
    marks = [
        element("rect", x=34 + 6 * i, y=2, width=6.3, height=12, class_="heat",
                fill_opacity=f"{0.08 + 0.92 * i / (steps - 1):.2f}")
        for i in range(steps)
    ]  # fmt: skip
    marks += [text(0, 12.5, percent(0.0, 0), "small soft"), text(186, 12.5, percent(1.0, 0), "small soft")]
    return element("svg", *marks, width=226, height=18, aria_hidden="true", class_="key")
