"""What a recorded run did, counted: synaptic operations by format, neuron updates with and without input."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exporter.mapping import fan_outs
from exporter.program import ChipProgram, Connection, Population

from .cost_model.events import Events
from .costs import Range
from .result import SimulationResult


def synaptic_operations(connection: Connection, source_counts: NDArray[np.int32], program: ChipProgram) -> float:
    """Synapses accessed over a run, mean per sample; source_counts (batch, *source shape) spikes a neuron."""
    counts = source_counts.reshape(len(source_counts), -1)
    return float((counts @ fan_outs(connection, program)).mean())


def neuron_updates(population: Population, program: ChipProgram, result: SimulationResult) -> Events:
    """Updates of a population's compartments, every one in every step, mean per sample.

    Active is an update that finds a voltage or leaves a state other than zero, or spikes. Where the run recorded its
    states, it is counted; else it is a range from the spikes to all updates, typically all, if input, a bias or a start
    voltage can have moved them. Inactive updates are the rest, bound by bound: the two always make all updates.
    """
    updates = float(population.size * result.steps)
    active = _active(population.name, result)
    if active is None:
        spikes = float(result.neuron_counts[population.name].sum()) / result.batch
        fed = any(result.neuron_counts[c.source].any() for c in program.into(population.name))
        own = any(np.any(getattr(population, name, 0)) for name in ("bias", "v_initial"))
        moved = fed or spikes > 0 or own
        active = Range(spikes, updates, updates) if moved else Range.zero()
    inactive = Range(updates - active.low, updates - active.typical, updates - active.high)
    return Events(updates_active=active, updates_inactive=inactive)


def _active(name: str, result: SimulationResult) -> Range | None:
    states = {key.split("/", 1)[0]: values for key, values in result.states.items() if key.split("/", 1)[1] == name}
    if len(states) < 2 or "s" not in states:
        return None
    active = np.any([values != 0 for values in states.values()], axis=0)
    if "v" in states:
        active[1:] |= states["v"][:-1] != 0
    return Range.exact(float(active.sum()) / result.batch)
