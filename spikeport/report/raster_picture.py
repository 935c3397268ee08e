"""The spikes of one sample as a drawing: input, hidden and output layers stacked over the same steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from .raster import Raster, grouped, winner
from .svg import WIDTH, clip, element, number, picture, rectangle, text
from .units import plain, plural

_LEFT, _RIGHT, _TOP, _GAP = 142.0, 116.0, 12.0, 22.0
_MARKS = 120_000  # places drawn at most over all layers: keeps the page small
_MAX_COLUMNS = 600
_IMAGE = 104.0


@dataclass(frozen=True)
class Panel:
    """One layer's strip."""

    name: str
    spikes: NDArray[Any]
    output: bool
    top: float
    height: float


def raster_picture(raster: Raster, outputs: Sequence[str], steps: int) -> Markup:
    """Draw one sample's spikes; the last `steps` steps of the first output layer are what is counted."""
    panels = _panels(raster, outputs)
    total = len(raster.input)
    height = panels[-1].top + panels[-1].height + 40
    scale = (WIDTH - _LEFT - _RIGHT) / total
    budget = _MARKS // len(panels)
    children: list[Markup] = []
    for panel in panels:
        children += _strip(panel, scale, budget)
        if panel.output:
            children += _answer(panel, raster.label, steps, scale)
    children += _axis(total, scale, panels[-1].top + panels[-1].height)
    if raster.image is not None and raster.image.ndim == 2 and raster.image.size:
        children.append(_image(raster.image))
    return picture(_label(raster, panels, steps), height, children, WIDTH)


def caption(raster: Raster, outputs: Sequence[str], steps: int) -> str:
    """What the picture shows, winner and label named."""
    name = next((n for n in outputs if n in raster.layers), list(raster.layers)[-1] if raster.layers else None)
    shown = f"Test sample {raster.sample}, label {raster.label}"
    if name is None:
        return f"{shown}."
    won = winner(raster.layers[name], steps)
    right = "the right answer" if won == raster.label else "a wrong answer"
    return f"{shown}: neuron {won} of layer {name} spikes most in the last {plural(steps, 'step')}, {right}."


def _panels(raster: Raster, outputs: Sequence[str]) -> list[Panel]:
    last = list(raster.layers)[-1:]
    answering = [n for n in outputs if n in raster.layers][:1] or last
    layers = [("input", raster.input, False)]
    layers += [(name, spikes, name in answering) for name, spikes in raster.layers.items()]
    panels, top = [], _TOP
    for name, spikes, output in layers:
        neurons = spikes.shape[1]
        per_row = 14.0 if output and neurons <= 24 else 3.0
        height = min(
            240.0, max(_IMAGE + 8 if name == "input" and raster.image is not None else 44.0, neurons * per_row)
        )
        panels.append(Panel(name, spikes, output, top, height))
        top += height + _GAP
    return panels


def _strip(panel: Panel, scale: float, budget: int) -> list[Markup]:
    total, neurons = panel.spikes.shape
    columns = min(total, _MAX_COLUMNS)
    shown = grouped(panel.spikes, max(1, min(512, budget // columns)), columns)
    row = panel.height / shown.shape[1]
    column = scale * total / shown.shape[0]
    tick = min(6.0, max(0.8, row * 0.72))
    marks = "".join(
        f"M{number(_LEFT + (step + 0.18) * column)} {number(panel.top + (neuron + 0.5) * row)}h{number(0.64 * column)}"
        for step, neuron in np.argwhere(shown).tolist()
    )
    width = scale * total
    # the picture of the sample stands beside the input
    label_y = panel.top + 10
    words = [text(0, label_y, clip(panel.name, 20), "strong small")]
    if panel.name != "input" or panel.height < _IMAGE:
        words.append(text(0, label_y + 15, plural(neurons, "neuron"), "small soft"))
    return [
        rectangle(_LEFT, panel.top, width, panel.height, "strip", 3),
        element("path", d=marks, class_="spikes output" if panel.output else "spikes", stroke_width=f"{tick:.2f}"),
        *words,
        text(WIDTH, panel.top + 10, plural(int(np.count_nonzero(panel.spikes)), "spike"), "small soft", "end")
        if not panel.output
        else Markup(""),
    ]


def _answer(panel: Panel, label: int, steps: int, scale: float) -> list[Markup]:
    total, neurons = panel.spikes.shape
    counts = panel.spikes[max(0, total - steps) :].sum(axis=0, dtype=np.int64)
    won = winner(panel.spikes, steps)
    row = panel.height / neurons
    marks: list[Markup] = []
    if steps < total:
        marks.append(rectangle(_LEFT, panel.top, scale * (total - steps), panel.height, "waiting", 3))
    words: dict[int, list[str]] = defaultdict(list)
    words[won].append("winner")
    if label < neurons:
        words[label].append("label")
    for neuron in range(neurons) if neurons <= 24 else sorted(words):
        y = panel.top + (neuron + 0.5) * row + 4
        marked = neuron in words
        style = "small strong" if marked else "small soft"
        marks.append(text(_LEFT - 8, y, str(neuron), style, "end"))
        said = f"{plain(int(counts[neuron]))}{'  ' + ', '.join(words[neuron]) if marked else ''}"
        marks.append(text(_LEFT + scale * total + 8, y, said, style))
    return marks


def _axis(total: int, scale: float, y: float) -> list[Markup]:
    every = next((e for e in (1, 2, 5, 10, 20, 50, 100, 200, 500) if total / e <= 20), max(1, total // 10))
    ticks = [
        text(_LEFT + (step + 0.5) * scale, y + 16, str(step), "small soft", "middle") for step in range(0, total, every)
    ]
    middle = _LEFT + total * scale / 2
    return [*ticks, text(middle, y + 33, "chip step", "small", "middle")]


def _image(image: NDArray[Any]) -> Markup:
    found = np.nan_to_num(np.asarray(image, dtype=np.float64))
    factor = max(1, -(-max(found.shape) // 64))
    found = found[::factor, ::factor]
    span = float(found.max() - found.min())
    levels = np.rint((found - found.min()) / (span or 1.0) * 15).astype(int)
    side = (_IMAGE - 18) / max(found.shape)
    x0, y0 = 0.0, _TOP + 20
    children = [rectangle(x0, y0, side * found.shape[1], side * found.shape[0], "strip")]
    for level in range(1, 16):
        places = np.argwhere(levels == level).tolist()
        d = "".join(f"M{x0 + x * side:.2f} {y0 + y * side:.2f}h{side:.2f}v{side:.2f}h-{side:.2f}z" for y, x in places)
        if d:
            children.append(element("path", d=d, class_="pixel", fill_opacity=f"{level / 15:.2f}"))
    return element("g", *children)


def _label(raster: Raster, panels: Sequence[Panel], steps: int) -> str:
    layers = ", ".join(f"{p.name} {plural(int(np.count_nonzero(p.spikes)), 'spike')}" for p in panels)
    outputs = [panel.name for panel in panels if panel.output]
    return f"Spike raster over {plural(len(raster.input), 'chip step')}: {layers}. {caption(raster, outputs, steps)}"
