"""Time on the chip, step by step: how long each step takes, and which cores are busy for how much of it."""

from __future__ import annotations

from markupsafe import Markup

from spikeport.report.units import NONE, plain, plural, si, si_range
from spikeport.summary import CoreMap

from .chart_axes import chart, length
from .core_map import strength
from .svg import element, line, rectangle, text

_MOST_CORES, _MOST_STEPS, _LEVELS = 48, 400, 10
_LEFT = 8.0  # share of the width, in hundredths, that the cores' numbers take
_BARS, _ROW = 84.0, 18.0


def time_picture(found: CoreMap) -> Markup | None:
    """Bars of the steps' seconds over a heat map of cores and steps; None where steps were not told apart."""
    steps = found.step_s.typical[:_MOST_STEPS]
    if not found.recorded or not steps or not any(steps):
        return None
    kept = [(index, row) for index, row in enumerate(found.busy_s) if row is not None and len(row) >= len(steps)]
    busiest = sorted(kept, key=lambda pair: (-sum(pair[1]), pair[0]))[:_MOST_CORES]
    rows = [(index, row[: len(steps)]) for index, row in sorted(busiest, key=lambda pair: pair[0])]
    row_height = max(4.0, min(_ROW, 300 / max(1, len(rows))))
    bottom = _BARS + row_height * len(rows)
    chosen = "" if len(rows) == len(found.cores) else f"; the {len(rows)} busiest of {plural(len(found.cores), 'core')}"
    marks = [*_bars(found, len(steps), chosen), *_cores(rows, steps, row_height), *_axis(len(steps), bottom)]
    slowest = max(range(len(steps)), key=lambda step: steps[step])
    label = (
        f"Estimated time of {plural(len(steps), 'step')}: step {slowest} is the longest, {si(steps[slowest], 's')}; "
        f"below, the share of each step in which each of {plural(len(rows), 'core')} is busy."
    )
    return chart(label, bottom + 40, marks)


def time_rows(found: CoreMap) -> list[tuple[str, str, str, str]]:
    """One row a step: its number, its time, the range, the core that is busy longest."""
    steps = zip(found.step_s.low, found.step_s.typical, found.step_s.high, strict=False)
    rows = []
    for step, (low, typical, high) in enumerate(steps):
        busy = [(row[step], -core) for core, row in enumerate(found.busy_s) if row is not None and step < len(row)]
        slowest = plain(-max(busy)[1]) if busy else NONE
        rows.append((plain(step), si(typical, "s"), si_range(low, high, "s"), slowest))
    return rows[:_MOST_STEPS]


def _bars(found: CoreMap, steps: int, chosen: str) -> list[Markup]:
    top = max(found.step_s.typical[:steps])
    low, high = min(found.step_s.low[:steps], default=0.0), max(found.step_s.high[:steps], default=top)
    room = _BARS - 26
    bars = [
        element("rect", x=step, y=1 - seconds / top, width=0.8, height=seconds / top, class_="bar chip")
        for step, seconds in enumerate(found.step_s.typical[:steps])
    ]
    words = f"a step: at most {si(top, 's')}, by constants {si_range(low, high, 's')}{chosen}"
    return [text(0, 12, words, "small soft"), _grid(bars, 20, room, steps, 1)]


def _cores(rows: list[tuple[int, tuple[float, ...]]], steps: tuple[float, ...], height: float) -> list[Markup]:
    levels: dict[int, list[str]] = {}
    for place, (_, row) in enumerate(rows):
        for step, (busy, whole) in enumerate(zip(row, steps, strict=True)):
            level = round(_LEVELS * min(1.0, busy / whole)) if whole else 0
            levels.setdefault(level, []).append(f"M{step} {place}h.94")
    paths = [
        element("path", d="".join(places), class_="busy", transform="translate(.03 .5)",
                stroke_opacity=strength(level / _LEVELS))
        for level, places in sorted(levels.items())
    ]  # fmt: skip
    every = max(1, round(14 / height))
    numbers = [
        text(length(_LEFT / 100 - 0.01), _BARS + height * (place + 0.5) + 4, plain(index), "small soft", "end")
        for place, (index, _) in enumerate(rows) if place % every == 0
    ]  # fmt: skip
    ground = rectangle(length(_LEFT / 100), _BARS, length(1 - _LEFT / 100), height * len(rows), "strip", 2)
    numbers.append(text(0, _BARS - 8, "core", "small soft"))
    return [ground, _grid(paths, _BARS, height * len(rows), len(steps), max(1, len(rows))), *numbers]


def _grid(marks: list[Markup], y: float, height: float, columns: int, rows: int) -> Markup:
    # columns and rows are the units, and stretch with the page
    return element(
        "svg", *marks, x=length(_LEFT / 100), y=y, width=length(1 - _LEFT / 100), height=height,
        viewBox=f"0 0 {columns} {rows}", preserveAspectRatio="none",
    )  # fmt: skip


def _axis(steps: int, y: float) -> list[Markup]:
    every = next((e for e in (1, 2, 5, 10, 20, 50, 100) if steps / e <= 12), 100)
    marks = []
    for step in range(0, steps, every):
        x = length(_LEFT / 100 + (1 - _LEFT / 100) * (step + 0.5) / steps)
        marks += [line(x, y + 2, x, y + 6, "tick"), text(x, y + 19, plain(step), "small soft", "middle")]
    return [*marks, text(length((1 + _LEFT / 100) / 2), y + 36, "chip step", "small", "middle")]
