"""What arrives at a neuron, summed synapse by synapse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import naive
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spikeport.exporter.program.chip_program import Connection, ConvConnection, DenseConnection, SparseConnection
from spikeport.lava_runtime.emulator.synapses import delivery_parts
from spikeport.lava_runtime.kernels.spike_events import SpikeEvents


def expected(c: Connection, sent: NDArray[Any], size: int) -> dict[int, NDArray[Any]]:
    """What arrives after each delay, (batch, size), from the synapses one by one."""
    whole = as_dense(c, sent.shape[1])
    there = naive.synapse_list(whole)
    beyond = np.zeros_like(whole.weights) if whole.synaptic_delays is None else whole.synaptic_delays
    steps = naive.synapse_list(replace(whole, weights=beyond))
    axonal = np.zeros(sent.shape[1], np.int32) if c.axonal_delays is None else c.axonal_delays
    found: dict[int, NDArray[Any]] = {}
    for (source, target, weight), (_, _, more) in zip(there, steps, strict=True):
        delay = c.delay + int(axonal[source]) + more
        found.setdefault(delay, np.zeros((size, sent.shape[1]), np.int64))[target, source] += weight
    return {delay: np.array([arriving(c, matrix, row) for row in sent]) for delay, matrix in found.items()}


def arriving(c: Connection, matrix: NDArray[np.int64], sent: NDArray[np.int32]) -> NDArray[np.int64]:
    """As lava.proc's models add: products of 32 bit, sums of 32 or in DelayDense 64, a convolution's cut to 24."""
    total = naive.wrap(matrix * sent.astype(np.int64), 32).sum(axis=1)
    if not (isinstance(c, DenseConnection) and c.longest_delay > 1):
        total = naive.wrap(total, 32)
    total = naive.wrap(total << c.weight_exp if c.weight_exp >= 0 else total >> -c.weight_exp, 32)
    found: NDArray[np.int64] = naive.wrap(total, 24) if isinstance(c, ConvConnection) else total
    return found


def as_dense(c: Connection, size: int) -> Connection:
    if not isinstance(c, SparseConnection):
        return c

    def whole(values: NDArray[Any]) -> NDArray[np.int32]:
        found: NDArray[np.int32] = csr_array((values, c.indices, c.indptr), shape=(len(c.indptr) - 1, size)).toarray()
        return found

    beyond = None if c.synaptic_delays is None else whole(c.synaptic_delays)
    return DenseConnection(c.source, c.target, whole(c.weights), c.weight_exp, c.sign_mode, c.weight_bits, c.delay,
                           axonal_delays=c.axonal_delays, synaptic_delays=beyond)  # fmt: skip


def activity(shape: tuple[int, int], density: float, largest: int, rng: np.random.Generator) -> NDArray[np.int32]:
    values = rng.integers(-largest, largest, shape, endpoint=True) if largest > 1 else np.ones(shape, np.int64)
    return ((rng.random(shape) < density) * values).astype(np.int32)


def listed(sent: NDArray[np.int32], graded: bool) -> SpikeEvents:
    active = SpikeEvents.empty(*sent.shape, graded)
    if graded:
        active.read_payloads(sent)
    else:
        active.read_spikes((sent != 0).astype(np.uint8))
    return active


def delivered(c: Connection, sent: NDArray[np.int32], graded: bool, size: int) -> dict[int, NDArray[np.int32]]:
    found = {}
    for part in delivery_parts(c, sent.shape[1], graded):
        assert part.delay not in found
        # what is there already stays
        found[part.delay] = np.full((len(sent), size), 7, np.int32)
        part.deliver(listed(sent, graded), found[part.delay])
        found[part.delay] -= 7
    return found
