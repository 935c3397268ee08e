"""Lays out connections for the kernels: one part per delay, each with the function that delivers it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from spikeport.exporter.program.chip_program import (
    Connection,
    ConvConnection,
    DenseConnection,
    SparseConnection,
    delays_per_weight,
)
from spikeport.lava_runtime.kernels.convolution import ConvSynapses
from spikeport.lava_runtime.kernels.dense import DenseSynapses
from spikeport.lava_runtime.kernels.sparse import SparseSynapses
from spikeport.lava_runtime.kernels.spike_events import Integers, SpikeEvents
from spikeport.lava_runtime.kernels.tiles import Tiles

Deliver = Callable[[SpikeEvents, Integers], None]
"""(active, target): adds to target (batch, size) what the active sources send."""

# fraction of nonzero weights from which whole rows are faster: 16 at a time instead of one
WHOLE_FROM = 0.08


@dataclass(frozen=True)
class DeliveryPart:
    """The synapses of one delay, in steps; tiles: what delivers them if it can also update the target."""

    delay: int
    deliver: Deliver
    tiles: Tiles | None = None


def delivery_parts(connection: Connection, source_size: int, graded: bool) -> list[DeliveryPart]:
    """Split a connection by delay, and choose the kernel for each part.

    All input of one step is summed before it is shifted or cut, so each total delay of axon and synapse is one part.
    """
    if isinstance(connection, ConvConnection):
        return list(_convolutions(connection, source_size, graded))
    assert isinstance(connection, (DenseConnection, SparseConnection))
    if connection.longest_delay == connection.delay:
        return [_whole_or_sparse(connection.delay, _matrix(connection, source_size), connection, graded)]
    return [_whole_or_sparse(delay, matrix, connection, graded) for delay, matrix in _by_delay(connection, source_size)]


def _whole_or_sparse(
    delay: int, matrix: NDArray[np.int16] | csr_array, connection: Connection, graded: bool
) -> DeliveryPart:
    """`matrix`: one row per source element, (source size, target size)."""
    wide = isinstance(connection, DenseConnection) and connection.longest_delay > 1
    stored = matrix.nnz if isinstance(matrix, csr_array) else int(np.count_nonzero(matrix))
    if stored >= WHOLE_FROM * matrix.shape[0] * matrix.shape[1]:
        whole = matrix.toarray() if isinstance(matrix, csr_array) else matrix
        if not graded and Tiles.fits(whole):
            tiles = Tiles(whole, connection.weight_exp)
            return DeliveryPart(delay, tiles.deliver, tiles)
        return DeliveryPart(delay, DenseSynapses(whole, connection.weight_exp, graded, wide).deliver)
    return DeliveryPart(delay, SparseSynapses(csr_array(matrix), connection.weight_exp, wide).deliver)


def _matrix(connection: DenseConnection | SparseConnection, source_size: int) -> NDArray[np.int16] | csr_array:
    if isinstance(connection, SparseConnection):
        shape = len(connection.indptr) - 1, source_size
        rows = csr_array((connection.weights.astype(np.int16), connection.indices, connection.indptr), shape=shape)
        return _without_zeros(rows.T)
    weights: NDArray[np.int16] = connection.weights.T.astype(np.int16)
    return weights


def _by_delay(connection: DenseConnection | SparseConnection, source_size: int) -> Iterator[tuple[int, csr_array]]:
    target, source, shape = _ends(connection, source_size)
    weight = connection.weights.reshape(-1).astype(np.int16)
    delay = connection.delay + delays_per_weight(connection).reshape(-1)
    for steps in np.unique(delay[weight != 0]):
        selected = delay == steps
        part = coo_array((weight[selected], (source[selected], target[selected])), shape=shape)
        yield int(steps), _without_zeros(part)


def _ends(
    connection: DenseConnection | SparseConnection, source_size: int
) -> tuple[NDArray[Any], NDArray[Any], tuple[int, int]]:
    """Target and source element of every weight, and (source size, target size)."""
    if isinstance(connection, SparseConnection):
        targets = len(connection.indptr) - 1
        return np.repeat(np.arange(targets), np.diff(connection.indptr)), connection.indices, (source_size, targets)
    target, source = np.indices(connection.weights.shape, dtype=np.int32)
    return target.reshape(-1), source.reshape(-1), (source_size, len(connection.weights))


def _without_zeros(matrix: Any) -> csr_array:
    rows = csr_array(matrix)
    rows.eliminate_zeros()
    return rows


def _convolutions(c: ConvConnection, source_size: int, graded: bool) -> Iterator[DeliveryPart]:
    synaptic = np.zeros(c.weights.shape, np.int32) if c.synaptic_delays is None else c.synaptic_delays
    axonal = np.zeros(source_size, np.int32) if c.axonal_delays is None else c.axonal_delays
    of_weights, of_axons = (np.unique(delays) for delays in (synaptic, axonal))
    kernels = {int(delay): np.where(synaptic == delay, c.weights, 0).astype(np.int32) for delay in of_weights}
    for extra_delay in np.unique(np.add.outer(of_weights, of_axons)):
        pairs = [(kernels[int(extra_delay - a)], a) for a in of_axons if int(extra_delay - a) in kernels]
        classes = np.full(source_size, -1, np.int32)
        for number, (_, a) in enumerate(pairs):
            classes[axonal == a] = number
        selected = [kernel for kernel, _ in pairs]
        yield DeliveryPart(c.delay + int(extra_delay), ConvSynapses(c, selected, classes, graded).deliver)
