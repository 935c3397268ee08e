"""A FloatNetwork in floating point, step by step with the chip's timing: what the chip's answers are held against.

The discretisation is the one of exporter/lower.py, forward Euler with the network's dt. One step of a population:

    u <- u * (1 - current_decay) + sum of weights over the spikes that arrive
    v <- v * (1 - voltage_decay) + u + bias;   s <- v > threshold;   v[s] <- 0

A spike of step t arrives at step t + delay, as on the chip, so step t here is step t of the chip. A population runs
`latency` steps behind the input; before its first input can arrive it rests at 0 and its bias does not act, which the
chip brings about by its start voltage (exporter/rest.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .float_network import ConvGeometry, FloatConnection, FloatNetwork, FloatPopulation, Floats
from .program import Integers, arrival_steps

Kept = Literal["counts", "spikes", "all"]


@dataclass(frozen=True)
class FloatResult:
    """What one run kept, by population.

    counts: spikes over the run, (batch, size); spikes: (steps, batch, size), where more than counts was asked for;
    u and v (after the reset), in the network's units: (steps, batch, size), where all was asked for.
    """

    counts: Mapping[str, Integers]
    spikes: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    u: Mapping[str, Floats] = field(default_factory=dict)
    v: Mapping[str, Floats] = field(default_factory=dict)


def simulate_float(
    network: FloatNetwork, inputs: Mapping[str, NDArray[np.int32]], steps: int, keep: Kept = "spikes"
) -> FloatResult:
    """Run a network for `steps` steps of the chip; inputs are (input steps, batch, size), silent after their end."""
    batch = next(iter(inputs.values())).shape[1]
    start = arrival_steps(network.inputs, network.connections)
    states = [_State(p, network, start.get(p.name, 0), (steps, batch), keep) for p in network.populations]
    # newest first: what a node sent `delay` steps ago stands at delay - 1
    longest = max((c.delay for c in network.connections), default=1)
    names = (*inputs, *(p.name for p in network.populations))
    sent: dict[str, deque[Floats]] = {name: deque(maxlen=longest) for name in names}
    for step in range(steps):
        for state in states:
            state.update(step, sent)
        for state in states:
            sent[state.name].appendleft(state.s.astype(np.float64))
        for name, values in inputs.items():
            now = values[step] if step < len(values) else np.zeros_like(values[0])
            sent[name].appendleft(now.astype(np.float64))
    return FloatResult(
        {state.name: state.count for state in states},
        {state.name: state.spikes for state in states if state.spikes is not None},
        {state.name: state.currents for state in states if state.currents is not None},
        {state.name: state.voltages for state in states if state.voltages is not None},
    )


def arriving(connection: FloatConnection, sent: Floats) -> Floats:
    """The weighted sum that reaches each target, (batch, target size), of what was sent, (batch, source size)."""
    if connection.geometry is None:
        result: Floats = sent @ connection.weights.T
        return result
    return _correlate(connection.geometry, connection.weights, sent)


class _State:
    """One population's neurons for all samples, and what is kept of them."""

    def __init__(
        self, population: FloatPopulation, network: FloatNetwork, start: int, size: tuple[int, int], keep: Kept
    ) -> None:
        self.name, self._population, self._start = population.name, population, start
        self._incoming = [c for c in network.connections if c.target == population.name]
        shape, whole = (size[1], population.size), (*size, population.size)
        self.u, self.v = np.zeros(shape), np.zeros(shape)
        self.s = np.zeros(shape, np.bool_)
        self.count = np.zeros(shape, np.int32)
        self.spikes = np.zeros(whole, np.bool_) if keep != "counts" else None
        self.currents = np.zeros(whole) if keep == "all" else None
        self.voltages = np.zeros(whole) if keep == "all" else None

    def update(self, step: int, sent: Mapping[str, deque[Floats]]) -> None:
        """One step, from what all nodes sent before."""
        p = self._population
        self.u = self.u * (1 - p.current_decay)
        for connection in self._incoming:
            past = sent[connection.source]
            if len(past) >= connection.delay and past[connection.delay - 1].any():
                self.u += arriving(connection, past[connection.delay - 1])
        self.v = self.v * (1 - p.voltage_decay) + self.u
        if step >= self._start:
            self.v += p.bias
        self.s = self.v > p.threshold
        self.v[self.s] = 0
        self.count += self.s
        if self.spikes is not None:
            self.spikes[step] = self.s
        if self.currents is not None and self.voltages is not None:
            self.currents[step], self.voltages[step] = self.u, self.v


def _correlate(geometry: ConvGeometry, kernel: Floats, sent: Floats) -> Floats:
    """Cross-correlation of images (batch, channels * height * width), as torch and NIR define it."""
    batch, (channels, rows, columns) = len(sent), geometry.output_shape
    (top, side), (down, right), (tall, wide) = geometry.padding, geometry.stride, geometry.dilation
    image = np.pad(sent.reshape(batch, *geometry.input_shape), ((0, 0), (0, 0), (top, top), (side, side)))
    extent = tall * (kernel.shape[2] - 1) + 1, wide * (kernel.shape[3] - 1) + 1
    windows = sliding_window_view(image, (1, 1, *extent))[:, :, ::down, ::right, 0, 0, ::tall, ::wide]
    windows = windows[:, :, :rows, :columns]
    inside, outside = kernel.shape[1], channels // geometry.groups
    parts = [
        np.tensordot(
            windows[:, g * inside : (g + 1) * inside],
            kernel[g * outside : (g + 1) * outside],
            axes=((1, 4, 5), (1, 2, 3)),
        )
        for g in range(geometry.groups)
    ]
    result: Floats = np.concatenate(parts, axis=3).transpose(0, 3, 1, 2).reshape(batch, -1)
    return result
