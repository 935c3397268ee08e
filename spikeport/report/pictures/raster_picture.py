"""The spikes of one sample, one strip per layer over the same steps, with the state at a selected step next to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from spikeport.report.raster import Raster, grouped, winner
from spikeport.report.units import plain, plural

from .chart_axes import length
from .raster_state import State, counts_picture, sample_picture, state_picture, totals
from .svg import element, line, rectangle, text

_MARKS = 120_000  # cells drawn at most over all layers: keeps the page small
_MAX_COLUMNS = 600
_BITS = 4_000_000  # states stored at most over all layers
_MOST_CELLS = 4096  # neurons of a state drawn one by one
_LEGIBLE = 24  # output neurons that get a row with their number


@dataclass(frozen=True)
class Strip:
    """One layer: name and size in words, its spikes over the steps, and its state at one step.

    For the page's script: seen, spikes in each column; form, how the state is drawn; packed, its data.
    """

    name: str
    words: str
    output: bool
    picture: Markup
    state: Markup
    seen: str
    packed: str
    form: str


@dataclass(frozen=True)
class Answer:
    """How an output layer is read: the label, and the number of first steps that do not count."""

    label: int
    waiting: int


@dataclass(frozen=True)
class Steps:
    """All strips over the same columns, which represent `total` steps of the chip."""

    strips: list[Strip]
    columns: int
    total: int
    axis: Markup
    caption: str
    sample: Markup | None


def step_pictures(
    raster: Raster,
    outputs: Sequence[str],
    steps: int,
    shapes: Mapping[str, Sequence[int]] | None = None,
    classes: Sequence[str] = (),
) -> Steps:
    """Draw one sample's spikes; the last `steps` steps of the first output layer are counted; classes: their names."""
    total = len(raster.input)
    columns = min(total, _MAX_COLUMNS)
    answering = _answering(raster, outputs)
    layers = [("input", raster.input), *raster.layers.items()]
    known = dict(shapes or {})
    if raster.image is not None and raster.image.size == raster.input.shape[1]:
        known["input"] = raster.image.shape
    strips = [
        _strip(name, spikes, known.get(name), columns, len(layers),
               Answer(raster.label, max(0, total - steps)) if index > 0 and name == answering else None)
        for index, (name, spikes) in enumerate(layers)
    ]  # fmt: skip
    image = raster.image
    sample = sample_picture(image) if image is not None and image.ndim == 2 and image.size else None
    return Steps(strips, columns, total, _axis(total), caption(raster, outputs, steps, classes), sample)


def caption(raster: Raster, outputs: Sequence[str], steps: int, classes: Sequence[str] = ()) -> str:
    """The caption, with winner and label; classes: their names."""
    name = _answering(raster, outputs)
    shown = f"Test sample {raster.sample}, label {_named(raster.label, classes)}"
    total = len(raster.input)
    if total > _MAX_COLUMNS:
        shown = f"{plain(total)} steps in {_MAX_COLUMNS} columns, a mark for any spike in its column. {shown}"
    if name is None:
        return f"{shown}."
    won = winner(raster.layers[name], steps)
    right = "the right answer" if won == raster.label else "a wrong answer"
    neuron = f"neuron {_named(won, classes)} of layer {name}"
    return f"{shown}: {neuron} spikes most in the last {plural(steps, 'step')}, {right}."


def _named(number: int, classes: Sequence[str]) -> str:
    name = classes[number] if number < len(classes) else str(number)
    return str(number) if name == str(number) else f"{number} ({name})"


def _answering(raster: Raster, outputs: Sequence[str]) -> str | None:
    return next((n for n in outputs if n in raster.layers), list(raster.layers)[-1] if raster.layers else None)


def _strip(
    name: str, spikes: NDArray[Any], shape: Sequence[int] | None, columns: int, layers: int, answer: Answer | None
) -> Strip:
    total, neurons = spikes.shape
    shown = grouped(spikes, max(1, min(512, _MARKS // layers // columns)), columns)
    legible = answer is not None and neurons <= _LEGIBLE and shown.shape[1] == neurons
    height = 14.0 * neurons if legible else min(160.0, max(40.0, 1.5 * shown.shape[1]))
    state = State.of(grouped(spikes, max(1, min(_MOST_CELLS, _BITS // layers // columns)), columns), shape, neurons)
    summary = f"{plural(int(np.count_nonzero(spikes)), 'spike')} in {plural(total, 'step')}"
    label = f"Spike raster of {name}, {plural(neurons, 'neuron')}: {summary}."
    drawn, form, packed = state_picture(state, height), state.form, state.packed
    if answer is not None and legible:
        counts = totals(spikes, answer.waiting, columns)
        drawn, form = counts_picture(counts[-1], answer.label, height), "counts"
        packed = ";".join(",".join(map(str, row)) for row in counts.tolist())
    size = plural(neurons, "channel" if name == "input" else "neuron")
    per_cell = -(-neurons // state.spikes.shape[1])
    return Strip(
        name,
        size if per_cell == 1 else f"{size}, {per_cell} per cell",
        answer is not None,
        _picture(shown, height, label, 0 if answer is None else answer.waiting / total, answer is not None),
        drawn,
        ",".join(map(str, _by_column(spikes, len(shown)).tolist())),
        packed,
        form,
    )


def _by_column(spikes: NDArray[Any], columns: int) -> NDArray[np.int64]:
    """Spikes of all neurons that fall into each drawn column."""
    per_step = np.count_nonzero(spikes, axis=1).astype(np.int64)
    return np.add.reduceat(per_step, np.arange(columns) * len(per_step) // columns)


def _picture(shown: NDArray[np.bool_], height: float, label: str, waiting: float, output: bool) -> Markup:
    columns, rows = shown.shape
    marks = "".join(f"M{step} {neuron}h.7" for step, neuron in np.argwhere(shown).tolist())
    # columns and rows are the units, so coordinates are whole numbers, and the strip stretches with the page
    inner = element(
        "svg",
        element("rect", class_="cursor", x=columns - 1, y=0, width=1, height=rows),
        element("path", d=marks, class_="spikes output" if output else "spikes", transform="translate(.15 .5)"),
        width="100%", height=height, viewBox=f"0 0 {columns} {rows}", preserveAspectRatio="none",
    )  # fmt: skip
    grey = [rectangle(0, 0, length(waiting), height, "waiting", 3)] if waiting else []
    ground = rectangle(0, 0, "100%", height, "strip", 3)
    return element("svg", ground, *grey, inner, width="100%", height=height, role="img", aria_label=label,
                   class_="raster")  # fmt: skip


def _axis(total: int) -> Markup:
    every = next((e for e in (1, 2, 5, 10, 20, 50, 100, 200, 500) if total / e <= 12), max(1, total // 8))
    marks = []
    for step in range(0, total, every):
        x = length((step + 0.5) / total)
        marks += [line(x, 0, x, 4, "tick"), text(x, 17, plain(step), "small soft", "middle")]
    return element("svg", *marks, width="100%", height=22, aria_hidden="true", class_="axis")
