"""Drawing of the differences between float and fixed point: share per layer, and first step that differs."""

from __future__ import annotations

from markupsafe import Markup

from spikeport.lava_runtime.diff_report import DiffReport, LayerDifference
from spikeport.report.units import percent, plain

from .svg import WIDTH, clip, dot, line, rectangle, round_ticks, standalone, text

_STYLE = (
    "svg{--paper:#fff;--ink:#1a1f26;--soft:#59626e;--grid:#e6e9ed;--chip:#0072b2;--ann:#b8560b;"
    "font:12.5px system-ui,sans-serif}"
    "@media (prefers-color-scheme:dark){svg{--paper:#14171b;--ink:#e7eaee;--soft:#a2abb6;--grid:#2a3037;"
    "--chip:#62b8ee;--ann:#f0a561}}"
    "text{fill:var(--ink);white-space:pre}.soft{fill:var(--soft)}.small{font-size:11px}.paper{fill:var(--paper)}"
    ".grid{stroke:var(--grid)}.bar{fill:var(--chip)}.strip{stroke:var(--grid);stroke-width:6;stroke-linecap:round}"
    ".same{stroke:var(--chip);stroke-width:6;stroke-linecap:round}.point{fill:var(--ann)}"
)
_HEAD, _ROW, _FOOT, _EDGE = 34.0, 34.0, 30.0, 14.0
_BARS, _BAR_WIDTH = 150.0, 210.0
_STEPS, _STEPS_WIDTH = 470.0, 226.0


def difference_picture(report: DiffReport) -> Markup:
    """One row per layer: the share of differing spikes as a bar, and the first difference on a line of steps."""
    bottom = _HEAD + _ROW * len(report.layers)
    ticks = round_ticks(max((layer.share for layer in report.layers), default=0.0), 3)
    if ticks == [0.0, 1.0]:
        ticks = [0.0, 0.01]
    decimals = next(d for d in range(9) if 100 * ticks[1] * 10**d >= 0.999)
    children = [
        rectangle(0, 0, WIDTH, bottom + _FOOT, "paper"),
        text(_BARS, 20, "spikes that differ", "soft"),
        text(_STEPS, 20, "identical steps before the first difference", "soft"),
    ]
    for tick in ticks:
        x = _BARS + _BAR_WIDTH * tick / ticks[-1]
        children += [
            line(x, _HEAD, x, bottom, "grid"),
            text(x, bottom + 18, "0" if tick == 0 else percent(tick, decimals + 1), "small soft", "middle"),
        ]
    children += [
        text(_STEPS, bottom + 18, "0", "small soft", "middle"),
        text(_STEPS + _STEPS_WIDTH, bottom + 18, plain(report.steps), "small soft", "middle"),
    ]
    for index, layer in enumerate(report.layers):
        children += _row(layer, _HEAD + _ROW * (index + 0.5), ticks[-1], report.steps)
    words = "; ".join(_words(layer) for layer in report.layers)
    return standalone(
        f"Float compared with fixed point on {report.chip}, {report.samples} samples: {words}.",
        bottom + _FOOT, children, _STYLE,
    )  # fmt: skip


def _row(layer: LayerDifference, y: float, top: float, steps: int) -> list[Markup]:
    width, end = _BAR_WIDTH * layer.share / top, _STEPS + _STEPS_WIDTH
    marks = [
        text(_EDGE, y + 4, clip(layer.name, 18)),
        rectangle(_BARS, y - 9, width, 18, "bar", 2),
        text(_BARS + _BAR_WIDTH + 14, y + 4, percent(layer.share, 3)),
        line(_STEPS, y, end, y, "strip"),
    ]
    if layer.first is None:
        return [*marks, line(_STEPS, y, end, y, "same")]
    x = _STEPS + _STEPS_WIDTH * layer.first.step / steps
    label = text(x + 9, y - 7, f"step {plain(layer.first.step)}", "small")
    if x > end - 60:
        label = text(x - 9, y - 7, f"step {plain(layer.first.step)}", "small", "end")
    return [*marks, line(_STEPS, y, x, y, "same"), dot(x, y, 5.5, "point"), label]


def _words(layer: LayerDifference) -> str:
    if layer.first is None:
        return f"{layer.name} identical"
    return f"{layer.name} {percent(layer.share, 3)} differ, from step {layer.first.step} on"
