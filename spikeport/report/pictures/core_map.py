"""Heat maps of a chip's mesh of cores: use of the nearest limit, of every limit, and busy time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from spikeport.report.units import percent, plain, plural
from spikeport.summary import CoreMap, Mapping, PlacedCore

from .svg import Length, element, number, rectangle, text

_CELL, _SMALL, _MOST_CHIPS = 30.0, 11.0, 6


@dataclass(frozen=True)
class Mesh:
    """One heat map with its title and the detail below it."""

    title: str
    detail: str
    picture: Markup


def in_order(mapping: Mapping) -> CoreMap:
    """Cores row by row in the order of the layers, for a summary that has no positions of cores."""
    columns = max(1, math.ceil(math.sqrt(2 * mapping.cores_per_chip)))
    rows = max(1, math.ceil(mapping.cores_per_chip / columns))
    cores: list[PlacedCore] = []
    for layer in mapping.layers:
        for _ in range(layer.cores):
            chip, index = divmod(len(cores), max(1, mapping.cores_per_chip))
            # cores on chips that are not drawn are counted in the table
            if chip >= _MOST_CHIPS:
                break
            y, x = divmod(index, columns)
            neurons = {layer.name: layer.neurons_per_core}
            cores.append(PlacedCore(chip=chip, x=x, y=y, layers=neurons, fill={layer.limit: layer.fill}))
    return CoreMap(columns=columns, rows=rows, cores_per_router=1, cores=tuple(cores))


def core_meshes(mapping: Mapping, placed: CoreMap | None) -> list[Mesh]:
    """A map for each of the first chips: how full each core is, with the numbers of its layers."""
    core_map = placed or in_order(mapping)
    numbers = {layer.name: index for index, layer in enumerate(mapping.layers, start=1)}
    meshes = []
    for chip in sorted({core.chip for core in core_map.cores})[:_MOST_CHIPS]:
        here = [core for core in core_map.cores if core.chip == chip]
        fullest = max(core.fullest for core in here)
        label = (
            f"Heat map of chip {chip + 1}: {plural(len(here), 'core')} used, the fullest to {percent(fullest, 0)} of "
            "its nearest limit."
        )
        values = [core.fullest for core in here]
        words = [_words([numbers[name] for name in core.layers if name in numbers]) for core in here]
        meshes.append(Mesh(f"Chip {chip + 1}", "", _mesh(core_map, here, values, words, _CELL, label)))
    return meshes


def limit_meshes(core_map: CoreMap) -> list[Mesh]:
    """Small maps of the first chip, one for each limit that is used, and one of how busy each core is."""
    chip = min((core.chip for core in core_map.cores), default=0)
    indices = [index for index, core in enumerate(core_map.cores) if core.chip == chip]
    here = [core_map.cores[index] for index in indices]
    meshes = []
    for limit in core_map.limits:
        values = [core.fill.get(limit, 0.0) for core in here]
        meshes.append(_small(core_map, here, values, limit.capitalize(), f"{percent(max(values), 0)} at most"))
    if any(core_map.busy):
        values = [core_map.busy[index] for index in indices]
        meshes.append(_small(core_map, here, values, "Busy time", "of the busiest core's, estimate"))
    return meshes


def _small(core_map: CoreMap, here: Sequence[PlacedCore], values: Sequence[float], title: str, detail: str) -> Mesh:
    label = f"Heat map of the cores of one chip: {title}, {detail}."
    return Mesh(title, detail, _mesh(core_map, here, values, None, _SMALL, label))


def _mesh(
    core_map: CoreMap, here: Sequence[PlacedCore], values: Sequence[float], words: Sequence[str] | None, cell: float,
    label: str,
) -> Markup:  # fmt: skip
    across = math.ceil(math.sqrt(core_map.cores_per_router))
    down = math.ceil(core_map.cores_per_router / across)
    space = cell * 0.1
    wide, high = core_map.columns * across * cell, core_map.rows * down * cell
    drawn: dict[tuple[int, int], int] = {}
    marks = [
        rectangle(x * cell + space / 2, y * cell + space / 2, cell - space, cell - space, "core free", 2)
        for y in range(core_map.rows * down) for x in range(core_map.columns * across)
        if y % down * across + x % across < core_map.cores_per_router
    ]  # fmt: skip
    for index, core in enumerate(here):
        # cores of one router share its cell
        slot = drawn.get((core.x, core.y), 0)
        drawn[core.x, core.y] = slot + 1
        left = (core.x * across + slot % across) * cell + space / 2
        top = (core.y * down + slot // across) * cell + space / 2
        marks += _heat(left, top, cell - space, cell - space, values[index], 2)
        if words is not None:
            marks.append(text(left + (cell - space) / 2, top + (cell - space) / 2 + 4, words[index], "small", "middle"))
    return element(
        "svg", *marks, viewBox=f"0 0 {number(wide)} {number(high)}", width=wide, height=high, role="img",
        aria_label=label, class_="mesh",
    )  # fmt: skip


def _heat(x: float, y: float, width: Length, height: float, value: float, radius: float) -> list[Markup]:
    return [
        rectangle(x, y, width, height, "core", radius),
        element("rect", x=x, y=y, width=width, height=height, rx=radius, class_="heat", fill_opacity=strength(value)),
    ]


def strength(value: float) -> str:
    """A share as opacity; a core in use is never invisible."""
    return f"{0.08 + 0.92 * min(1.0, value):.2f}"


def _words(numbers: Sequence[int]) -> str:
    if len(numbers) < 3:
        return "+".join(map(plain, numbers))
    return f"{numbers[0]}…"


def heat_key() -> Markup:
    """The colour scale from empty to full."""
    steps = 24
    marks = [
        element("rect", x=34 + 6 * i, y=2, width=6.3, height=12, class_="heat", fill_opacity=strength(i / (steps - 1)))
        for i in range(steps)
    ]
    marks += [text(0, 12.5, percent(0.0, 0), "small soft"), text(186, 12.5, percent(1.0, 0), "small soft")]
    return element("svg", *marks, width=226, height=18, aria_hidden="true")
