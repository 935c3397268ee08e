"""Run one layer alone on what its sources sent: bounds of u and v, and the spikes of its integer version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.float_network.float_network import FloatConnection, FloatPopulation, Floats
from spikeport.exporter.float_network.synaptic_input import SynapticInput
from spikeport.exporter.neurons.cuba.cuba import keep_fraction
from spikeport.exporter.program.chip_program import Cuba
from spikeport.hardware_profiles.fixed_point import ACTIVATION_SHIFT, WordWidths

from .state_bounds import StateBounds

Sent = Mapping[str, NDArray[Any]]
"""What every input and population sent, each of shape (steps, batch, size)."""


@dataclass(frozen=True)
class LayerTrial:
    """A layer's integers on the float network's spikes.

    error: sum over samples and neurons of |difference of spike counts|, as a fraction of the float network's spikes (of
    the sum of voltages where those are sent). current: the largest |u| before wrapping, in the chip's units. limited:
    fraction of (step, sample, neuron) in which v is at an end of its register. sent: (steps, batch, size).
    """

    error: float
    current: float
    limited: float
    sent: NDArray[Any]


def arriving_at(connection: FloatConnection, sent: NDArray[Any], step: int) -> NDArray[Any] | None:
    """What arrives in a step from a source's (steps, batch, size) array, (batch, size); None if nothing does."""
    delays = connection.axonal_delays
    if delays is None:
        past = step - connection.delay
        arriving: NDArray[Any] | None = sent[past] if 0 <= past < len(sent) else None
        return arriving
    steps = step - connection.delay - delays
    in_range = (steps >= 0) & (steps < len(sent))
    if not in_range.any():
        return None
    gathered: NDArray[Any] = np.where(in_range, sent[np.where(in_range, steps, 0), :, np.arange(len(steps))].T, 0)
    return gathered


def observed_bounds(
    population: FloatPopulation, incoming: Sequence[FloatConnection], sent: Sent, start: int
) -> StateBounds:
    """Bounds of u and v (before a reset) of the float network, given its own recorded spikes."""
    own = sent[population.name]
    u = np.zeros(own.shape[1:])
    v = np.tile(population.v_initial, (own.shape[1], 1))
    current = lowest = highest = 0.0
    feeds = [(c, SynapticInput(c)) for c in incoming]
    for step in range(start, len(own)):
        total = _total(feeds, sent, step, u.shape)
        u = u * (1 - population.current_decay) + total
        v = v * (1 - population.voltage_decay) + u + population.bias
        current = max(current, float(np.abs(u).max(initial=0)))
        lowest, highest = max(lowest, -float(v.min(initial=0))), max(highest, float(v.max(initial=0)))
        if population.sends == "spikes":
            v = np.where(own[step], v - population.subtracted if population.reset != "zero" else 0.0, v)
    return StateBounds(current, lowest, highest)


def run_trial(
    population: Cuba, incoming: Sequence[FloatConnection], sent: Sent, widths: WordWidths, unit: float = 1.0
) -> LayerTrial:
    """Run a layer's integers; incoming: its weights in units of `a`; sent: spikes, and payloads as the chip sends them.

    A recurrent population receives its own integers; unit: the value of one of its payloads in the float network.
    """
    float_sent = sent[population.name]
    steps, batch, size = float_sent.shape
    feeds = [(c, SynapticInput(c)) for c in incoming]
    states = {name: np.zeros((batch, size), np.int32) for name in population.STATES}
    for name, values in population.start().items():
        states[name][:] = values
    integer_sent = np.zeros((steps, batch, size), np.int32 if population.GRADED else np.uint8)
    step_kernel, keep = population.stepper(), keep_fraction(population.du + 1)
    peak, limited = 0.0, 0
    # a recurrent connection carries what the integers send
    sent = {**sent, population.name: integer_sent}
    for step in range(steps):
        total = _total(feeds, sent, step, (batch, size))
        wide = np.trunc(states["u"] * keep) + total * (1 << ACTIVATION_SHIFT)
        peak = max(peak, float(np.abs(wide).max(initial=0)))
        # the kernel takes 32-bit sums; a trial with a larger one is rejected for its peak
        a = np.clip(total, -(2.0**31), 2.0**31 - 1).astype(np.int32)
        step_kernel(step, states, (a[None],), integer_sent[step : step + 1])
        limited += int(np.count_nonzero(np.abs(states["v"]) >= widths.state_max))
    counts, expected = integer_sent.sum(axis=0, dtype=np.float64) * unit, float_sent.sum(axis=0, dtype=np.float64)
    error = float(np.abs(counts - expected).sum()) / max(float(np.abs(expected).sum()), 1.0)
    return LayerTrial(error, peak, limited / integer_sent.size, integer_sent)


def _total(
    feeds: Sequence[tuple[FloatConnection, SynapticInput]], sent: Sent, step: int, shape: tuple[int, ...]
) -> Floats:
    """What arrives from all connections in a step, (batch, size)."""
    total = np.zeros(shape)
    for connection, arrivals in feeds:
        values = arriving_at(connection, sent[connection.source], step)
        if values is not None:
            arrivals(values, total)
    return total
