"""How often every source element spikes: measured in a run, or assumed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.program.chip_program import ChipProgram

Rates = Mapping[str, NDArray[np.float64]]
"""Spikes per step of every element of an input or population, (size,), by name."""
ASSUMED = 0.1


def assumed_rates(program: ChipProgram, rate: float = ASSUMED) -> Rates:
    """The same rate everywhere."""
    return {node.name: np.full(node.size, rate) for node in program.nodes}


def measured_rates(program: ChipProgram, counts: Mapping[str, NDArray[Any]], steps: int) -> Rates:
    """Rates of a run; counts: spikes of every element in all steps, (batch, *shape) by name."""
    return {node.name: counts[node.name].reshape(-1, node.size).mean(axis=0) / steps for node in program.nodes}
