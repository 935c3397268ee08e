"""One layer at one step: neurons that spike now or did before; drawn here for the last step, then by the page."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from spikeport.report.units import plain

from .svg import element, rectangle, text

WIDTH = 150.0
_SAMPLE = 64.0


@dataclass(frozen=True)
class State:
    """Spikes (columns, neurons) and the layout of the neurons: maps of width x height, `across` maps per row."""

    spikes: NDArray[np.bool_]
    width: int
    height: int
    across: int

    @classmethod
    def of(cls, spikes: NDArray[np.bool_], shape: Sequence[int] | None, neurons: int) -> State:
        """Neurons in the layer's own shape if it is an image or feature maps, else in a block."""
        shown = spikes.shape[1]
        if shape is not None and len(shape) >= 2 and math.prod(shape) == shown == neurons and shape[-2] > 1:
            *channels, height, width = shape
            maps = math.prod(channels)
            return cls(spikes, width, height, _across(maps, math.sqrt(1.5 * maps * (height + 1) / (width + 1))))
        width = max(1, math.ceil(math.sqrt(1.5 * shown)))
        return cls(spikes, width, -(-shown // width), 1)

    @property
    def extent(self) -> tuple[int, int]:
        """Width and height of all maps, a free cell between two."""
        maps = -(-self.spikes.shape[1] // (self.width * self.height))
        return self.across * (self.width + 1) - 1, -(-maps // self.across) * (self.height + 1) - 1

    @property
    def form(self) -> str:
        """The layout, for the page's script."""
        return f"maps:{self.spikes.shape[1]}:{self.width}:{self.height}:{self.across}"

    @property
    def packed(self) -> str:
        """Bits of all columns, eight neurons per byte, the lowest bit first; base64."""
        return base64.b64encode(np.packbits(self.spikes, axis=1, bitorder="little").tobytes()).decode()

    def cells(self, selected: NDArray[np.bool_]) -> str:
        """A path with a unit stroke for each selected neuron; drawn half a cell lower it fills the neuron's cell."""
        area = self.width * self.height
        marks = []
        for neuron in np.flatnonzero(selected).tolist():
            one, index = divmod(neuron, area)
            x = one % self.across * (self.width + 1) + index % self.width
            y = one // self.across * (self.height + 1) + index // self.width
            marks.append(f"M{x} {y}h1")
        return "".join(marks)


def _across(maps: int, ideal: float) -> int:
    """Maps per row, near an aspect ratio of 3:2; full rows if that is not far off."""
    full = [n for n in range(1, maps + 1) if maps % n == 0 and ideal / 1.6 <= n <= 1.6 * ideal]
    return min(full, key=lambda n: abs(math.log(n / ideal)), default=max(1, min(maps, round(ideal))))


def state_picture(state: State, most: float) -> Markup:
    """Neurons that spike in the last column, and those that did before, as cells; at most `most` high."""
    wide, high = state.extent
    side = min(WIDTH / wide, max(most, 40.0) / high, 14.0)
    area, maps = state.width * state.height, -(-state.spikes.shape[1] // (state.width * state.height))
    grounds = [
        rectangle(i % state.across * (state.width + 1), i // state.across * (state.height + 1), state.width,
                  min(state.height, -(-(state.spikes.shape[1] - i * area) // state.width)), "strip")
        for i in range(maps)
    ]  # fmt: skip
    now = state.spikes[-1]
    before = state.spikes[:-1].any(axis=0) & ~now
    return element(
        "svg",
        *grounds,
        element("path", d=state.cells(before), class_="before", transform="translate(0 .5)"),
        element("path", d=state.cells(now), class_="now", transform="translate(0 .5)"),
        viewBox=f"0 0 {wide} {high}", width=wide * side, height=high * side, class_="state", aria_hidden="true",
    )  # fmt: skip


def totals(spikes: NDArray[Any], waiting: int, columns: int) -> NDArray[np.int64]:
    """Spikes of each neuron from the first step that counts to the end of each column, (columns, neurons)."""
    counted = np.array(spikes, dtype=bool)
    counted[:waiting] = False
    ends = np.append(np.arange(1, columns) * len(counted) // columns, len(counted)) - 1
    return np.asarray(counted.cumsum(axis=0, dtype=np.int64)[ends])


def counts_picture(counts: NDArray[np.int64], label: int, height: float) -> Markup:
    """Spikes of each output neuron as bars in the rows of its strip; the label's number has a frame."""
    row = height / len(counts)
    top = int(counts.max()) or 1
    marks: list[Markup] = []
    for neuron, spike_count in enumerate(counts.tolist()):
        y = row * neuron
        leads = neuron == int(counts.argmax())
        frame = [rectangle(0, y + 1, 17, row - 2, "label", 3)] if neuron == label else []
        marks.append(
            element(
                "g",
                *frame,
                text(14, y + row / 2 + 4, str(neuron), "small", "end"),
                rectangle(24, y + 2.5, f"{50 * spike_count / top:.1f}%", row - 5, "bar sum", 1.5),
                text("100%", y + row / 2 + 4, plain(spike_count), "small", "end"),
                class_="class leads" if leads else "class",
            )
        )
    return element("svg", *marks, width=WIDTH, height=height, class_="counts", aria_hidden="true")


def sample_picture(image: NDArray[Any]) -> Markup:
    """The sample before it was encoded, in sixteen shades of grey."""
    pixels = np.nan_to_num(np.asarray(image, dtype=np.float64))
    factor = max(1, -(-max(pixels.shape) // 64))
    pixels = pixels[::factor, ::factor]
    span = float(pixels.max() - pixels.min())
    levels = np.rint((pixels - pixels.min()) / (span or 1.0) * 15).astype(int)
    high, wide = pixels.shape
    children = [rectangle(0, 0, wide, high, "strip")]
    for level in range(1, 16):
        d = "".join(f"M{x} {y}h1" for y, x in np.argwhere(levels == level).tolist())
        if d:
            children.append(element("path", d=d, class_="pixel", stroke_opacity=f"{level / 15:.2f}",
                                    transform="translate(0 .5)"))  # fmt: skip
    side = _SAMPLE / max(wide, high)
    return element("svg", *children, viewBox=f"0 0 {wide} {high}", width=wide * side, height=high * side, role="img",
                   aria_label="The sample before it was encoded.", class_="sample")  # fmt: skip
