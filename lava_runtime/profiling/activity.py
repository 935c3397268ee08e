"""Neuron updates that are active, from recorded states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.program.chip_program import Population


def recorded_active(
    population: Population, spikes: NDArray[Any], states: Mapping[str, NDArray[Any]]
) -> NDArray[np.uint8] | None:
    """Updates that start with a voltage, end in a nonzero state, or spike: 0/1, or None if states were not recorded."""
    recorded = {name: states.get(f"{name}/{population.name}") for name in population.STATES}
    if not recorded or any(values is None for values in recorded.values()):
        return None
    active: NDArray[np.bool_] = np.asarray(spikes != 0)
    for name, values in recorded.items():
        nonzero = np.asarray(values).reshape(active.shape) != 0
        active |= nonzero
        if name == "v":
            active[1:] |= nonzero[:-1]
    flags: NDArray[np.uint8] = active.view(np.uint8)
    return flags
