"""Time on the chip, step by step: duration of each step, and busy share of each core."""

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


def time_picture(core_map: CoreMap) -> Markup | None:
    """Bars of the steps' seconds over a heat map of cores and steps; None if steps are not resolved."""
    steps = core_map.step_s.typical[:_MOST_STEPS]
    if not core_map.recorded or not steps or not any(steps):
        return None
    recorded = [(index, row) for index, row in enumerate(core_map.busy_s) if row is not None and len(row) >= len(steps)]
    busiest = sorted(recorded, key=lambda pair: (-sum(pair[1]), pair[0]))[:_MOST_CORES]
    rows = [(index, row[: len(steps)]) for index, row in sorted(busiest, key=lambda pair: pair[0])]
    row_height = max(4.0, min(_ROW, 300 / max(1, len(rows))))
    bottom = _BARS + row_height * len(rows)
    note = (
        ""
        if len(rows) == len(core_map.cores)
        else f"; the {len(rows)} busiest of {plural(len(core_map.cores), 'core')}"
    )
    marks = [*_bars(core_map, len(steps), note), *_cores(rows, steps, row_height), *_axis(len(steps), bottom)]
    slowest = max(range(len(steps)), key=lambda step: steps[step])
    label = (
        f"Estimated time of {plural(len(steps), 'step')}: step {slowest} is the longest, {si(steps[slowest], 's')}; "
        f"below, the share of each step in which each of {plural(len(rows), 'core')} is busy."
    )
    return chart(label, bottom + 40, marks)


def time_rows(core_map: CoreMap) -> list[tuple[str, str, str, str]]:
    """One row per step: number, time, range, and the core that is busy longest."""
    steps = zip(core_map.step_s.low, core_map.step_s.typical, core_map.step_s.high, strict=False)
    rows = []
    for step, (low, typical, high) in enumerate(steps):
        busy = [(row[step], -core) for core, row in enumerate(core_map.busy_s) if row is not None and step < len(row)]
        slowest = plain(-max(busy)[1]) if busy else NONE
        rows.append((plain(step), si(typical, "s"), si_range(low, high, "s"), slowest))
    return rows[:_MOST_STEPS]


def _bars(core_map: CoreMap, steps: int, note: str) -> list[Markup]:
    top = max(core_map.step_s.typical[:steps])
    low, high = min(core_map.step_s.low[:steps], default=0.0), max(core_map.step_s.high[:steps], default=top)
    room = _BARS - 26
    bars = [
        element("rect", x=step, y=1 - seconds / top, width=0.8, height=seconds / top, class_="bar chip")
        for step, seconds in enumerate(core_map.step_s.typical[:steps])
    ]
    words = f"per step: at most {si(top, 's')}, by constants {si_range(low, high, 's')}{note}"
    return [text(0, 12, words, "small soft"), _grid(bars, 20, room, steps, 1)]


def _cores(rows: list[tuple[int, tuple[float, ...]]], steps: tuple[float, ...], height: float) -> list[Markup]:
    levels: dict[int, list[str]] = {}
    for row_index, (_, row) in enumerate(rows):
        for step, (busy, whole) in enumerate(zip(row, steps, strict=True)):
            level = round(_LEVELS * min(1.0, busy / whole)) if whole else 0
            levels.setdefault(level, []).append(f"M{step} {row_index}h.94")
    paths = [
        element("path", d="".join(marks), class_="busy", transform="translate(.03 .5)",
                stroke_opacity=strength(level / _LEVELS))
        for level, marks in sorted(levels.items())
    ]  # fmt: skip
    every = max(1, round(14 / height))
    numbers = [
        text(length(_LEFT / 100 - 0.01), _BARS + height * (row_index + 0.5) + 4, plain(index), "small soft", "end")
        for row_index, (index, _) in enumerate(rows) if row_index % every == 0
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
