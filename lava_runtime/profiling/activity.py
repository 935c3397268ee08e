"""What a run did, counted: synaptic operations and their format, updates that find input or a state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.mapping import fan_outs
from spikeport.exporter.program.chip_program import ChipProgram, Connection, Population


def synaptic_operations(connection: Connection, source_counts: NDArray[np.int32], program: ChipProgram) -> float:
    """Synapses accessed over a run, mean per sample; source_counts (batch, *source shape) spikes a neuron."""
    counts = source_counts.reshape(len(source_counts), -1)
    return float((counts @ fan_outs(connection, program)).mean())


def recorded_active(
    population: Population, sent: NDArray[Any], states: Mapping[str, NDArray[Any]]
) -> NDArray[np.uint8] | None:
    """Updates that find a voltage, leave a state other than zero, or spike: 0/1, or None where states are not there."""
    found = {name: states.get(f"{name}/{population.name}") for name in population.STATES}
    if not found or any(values is None for values in found.values()):
        return None
    active: NDArray[np.bool_] = np.asarray(sent != 0)
    for name, values in found.items():
        held = np.asarray(values).reshape(active.shape) != 0
        active |= held
        if name == "v":
            active[1:] |= held[:-1]
    found_active: NDArray[np.uint8] = active.view(np.uint8)
    return found_active
