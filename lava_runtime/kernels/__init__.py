"""Kernels of the runtime, compiled before threads and forked processes share them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np

from spikeport.exporter.program.chip_program import Population

from . import convolution, dense, sparse, spike_events, tiles


def warm_up(populations: Iterable[Population]) -> None:
    """Compile, or load from the cache, all kernels for these populations and any connection."""
    _warm_up_synapses()
    for population in populations:
        states = {name: np.zeros((1, population.size), np.int32) for name in population.STATES}
        ports = tuple(np.zeros((1, 1, population.size), np.int32) for _ in population.PORTS)
        sent = np.zeros((1, 1, population.size), np.int32 if population.GRADED else np.uint8)
        population.stepper()(0, states, ports, sent)


@cache
def _warm_up_synapses() -> None:
    for module in (spike_events, convolution, dense, sparse, tiles):
        module.warm_up()
