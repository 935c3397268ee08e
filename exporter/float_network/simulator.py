"""Simulate a FloatNetwork step by step with the chip's timing: the reference for the chip's answers.

The step is that of float_network.py. What is sent in step t arrives at step t + delay, as on the chip, so step t here
is step t of the chip. A population lags some steps behind the input (FloatNetwork.starts). Before its start it rests at
v_initial and its bias does not act; the chip achieves this with a start voltage
(exporter/quantisation/compensation/start_voltage.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .float_network import FloatConnection, FloatNetwork, FloatPopulation, Floats
from .kernels import advance_spiking
from .synaptic_input import SynapticInput

Recorded = Literal["counts", "spikes", "all"]


@dataclass(frozen=True)
class FloatResult:
    """What one run recorded, by population.

    counts: spikes over the run, (batch, size) int32; spikes: (steps, batch, size) bool, unless only counts are
    recorded; u and v (after the reset), in the network's units: (steps, batch, size), if all is recorded. For a
    population that sends its voltage, spikes are the voltages and counts their sums, float64.
    """

    counts: Mapping[str, NDArray[Any]]
    spikes: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    u: Mapping[str, Floats] = field(default_factory=dict)
    v: Mapping[str, Floats] = field(default_factory=dict)


def simulate_float(
    network: FloatNetwork, inputs: Mapping[str, NDArray[np.int32]], steps: int, keep: Recorded = "spikes"
) -> FloatResult:
    """Run a network for `steps` steps of the chip; inputs are (input steps, batch, size), silent after their end."""
    batch = next(iter(inputs.values())).shape[1]
    starts = network.starts
    states = [_State(p, network, starts[p.name], (steps, batch), keep) for p in network.populations]
    # newest first: what a node sent `delay` steps ago is at index delay - 1
    longest = max((c.longest_delay for c in network.connections), default=1)
    names = (*inputs, *(p.name for p in network.populations))
    sent: dict[str, deque[NDArray[Any]]] = {name: deque(maxlen=longest) for name in names}
    for step in range(steps):
        for state in states:
            state.update(step, sent)
        for state in states:
            sent[state.name].appendleft(state.sent)
        for name, values in inputs.items():
            now = values[step] if step < len(values) else np.zeros_like(values[0])
            sent[name].appendleft(now)
    return FloatResult(
        {state.name: state.count for state in states},
        {state.name: state.spikes for state in states if state.spikes is not None},
        {state.name: state.currents for state in states if state.currents is not None},
        {state.name: state.voltages for state in states if state.voltages is not None},
    )


def _arriving_now(connection: FloatConnection, past: deque[NDArray[Any]]) -> NDArray[Any] | None:
    """What arrives from the source in this step, (batch, source size); None if nothing does."""
    if connection.axonal_delays is None:
        sent = past[connection.delay - 1] if len(past) >= connection.delay else None
        return sent if sent is not None and sent.any() else None
    if not past:
        return None
    gathered = np.zeros_like(past[0])
    for beyond in np.unique(connection.axonal_delays):
        if len(past) >= connection.delay + beyond:
            selected = connection.axonal_delays == beyond
            gathered[:, selected] = past[connection.delay + beyond - 1][:, selected]
    return gathered if gathered.any() else None


class _State:
    """One population's neurons for all samples, and what is recorded of them."""

    def __init__(
        self, population: FloatPopulation, network: FloatNetwork, start: int, size: tuple[int, int], keep: Recorded
    ) -> None:
        self.name, self._population, self._start = population.name, population, start
        incoming = [c for c in network.connections if c.target == population.name]
        self._incoming = [(c, SynapticInput(c)) for c in incoming]
        shape, recorded_shape = (size[1], population.size), (*size, population.size)
        graded = population.sends == "voltage"
        self.u, self.v = np.zeros(shape), np.tile(population.v_initial, (size[1], 1))
        self.sent: NDArray[Any] = np.zeros(shape, np.float64 if graded else np.bool_)
        self.count: NDArray[Any] = np.zeros(shape, np.float64 if graded else np.int32)
        self.spikes = np.zeros(recorded_shape, self.sent.dtype) if keep != "counts" else None
        self.currents = np.zeros(recorded_shape) if keep == "all" else None
        self.voltages = np.zeros(recorded_shape) if keep == "all" else None

    def update(self, step: int, sent: Mapping[str, deque[NDArray[Any]]]) -> None:
        """Advance one step, given what all nodes sent before."""
        if step >= self._start:
            self._advance(sent)
        self.count += self.sent
        if self.spikes is not None:
            self.spikes[step] = self.sent
        if self.currents is not None and self.voltages is not None:
            self.currents[step], self.voltages[step] = self.u, self.v

    def _advance(self, sent: Mapping[str, deque[NDArray[Any]]]) -> None:
        p = self._population
        bias = p.bias + p.voltage_decay * p.v_leak
        total = np.zeros_like(self.u)
        for connection, add_input in self._incoming:
            spikes = _arriving_now(connection, sent[connection.source])
            if spikes is not None:
                add_input(spikes, total)
        # a new array: others may still read what was sent before
        self.sent = np.empty_like(self.sent)
        if p.sends == "voltage":
            self.u = self.u * (1 - p.current_decay) + total
            self.v = self.v * (1 - p.voltage_decay) + self.u + bias
            self.sent[:] = self.v
            return
        keep = 1 - p.current_decay, 1 - p.voltage_decay
        spiking = bias, p.threshold, p.reset != "zero", p.subtracted
        advance_spiking(self.u, self.v, total, *keep, *spiking, self.sent)
