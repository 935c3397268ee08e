"""Synaptic operations of one connection, counted independently of the profiler."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.mapping import fan_outs
from spikeport.exporter.program.chip_program import ChipProgram, Connection


def synaptic_operations(connection: Connection, source_counts: NDArray[np.int32], program: ChipProgram) -> float:
    """Synapses accessed over a run, mean per sample; source_counts (batch, *source shape) spikes per neuron."""
    counts = source_counts.reshape(len(source_counts), -1)
    return float((counts @ fan_outs(connection, program)).mean())
