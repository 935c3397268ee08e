"""Connections laid out for the kernels: one part for every delay, each with the function that delivers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from exporter.program import Connection, ConvConnection, DenseConnection, SparseConnection, delays_per_weight

from . import kernels

Integers = NDArray[np.int32]
Deliver = Callable[[Integers, Integers, Integers, Integers], None]
"""(index, count, payload, target): adds to target (batch, size) what the active sources send."""


@dataclass(frozen=True)
class DeliveryPart:
    """The synapses of one delay; sources: which source elements they belong to (uint8, one each), None for all."""

    delay: int
    sources: NDArray[np.uint8] | None
    add: Deliver


def delivery_parts(connection: Connection, source_size: int, graded: bool) -> list[DeliveryPart]:
    """Split a connection by delay, and choose the kernel for each part.

    What arrives together is summed before it is shifted by weight_exp, as lava.proc's DelayDense and DelaySparse do.
    """
    parts = []
    if connection.synaptic_delays is not None and not isinstance(connection, ConvConnection):
        delays = delays_per_weight(connection)  # type: ignore[arg-type]
        connection = replace(connection, axonal_delays=None, synaptic_delays=delays)
    for beyond, held in _by_synaptic_delay(connection):
        deliver = _deliver(held, source_size, graded)
        axonal = connection.axonal_delays
        if axonal is None:
            parts.append(DeliveryPart(connection.delay + beyond, None, deliver))
            continue
        for delay in np.unique(axonal):
            sources = (axonal == delay).astype(np.uint8)
            parts.append(DeliveryPart(connection.delay + beyond + int(delay), sources, deliver))
    return parts


def source_matrix(connection: DenseConnection | SparseConnection, source_size: int) -> sparse.csr_array:
    """The matrix a source element a row, (source size, target size), what is stored only."""
    if isinstance(connection, DenseConnection):
        return sparse.csr_array(connection.weights.T)
    shape = (len(connection.indptr) - 1, source_size)
    rows = sparse.csr_array((connection.weights, connection.indices, connection.indptr), shape=shape)
    return sparse.csr_array(rows.T)


def _by_synaptic_delay(connection: Connection) -> list[tuple[int, Connection]]:
    delays = connection.synaptic_delays
    if delays is None:
        return [(0, connection)]
    present = np.unique(delays[connection.weights != 0]) if np.any(connection.weights) else np.zeros(1, np.int32)
    return [(int(d), replace(connection, weights=np.where(delays == d, connection.weights, 0))) for d in present]


def _deliver(connection: Connection, source_size: int, graded: bool) -> Deliver:
    exponent = connection.weight_exp
    wide = isinstance(connection, DenseConnection) and connection.longest_delay > 1
    if isinstance(connection, ConvConnection):
        return _convolve(connection)
    if isinstance(connection, SparseConnection) or connection.synaptic_delays is not None:
        matrix = source_matrix(connection, source_size)  # type: ignore[arg-type]
        pointers, targets = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32)
        values = matrix.data.astype(np.int16)

        def scatter(index: Integers, count: Integers, payload: Integers, target: Integers) -> None:
            kernels.sparse(pointers, targets, values, exponent, wide, index, count, payload, target)

        return scatter
    weights: NDArray[Any] = np.ascontiguousarray(connection.weights.T.astype(np.int16))

    def multiply(index: Integers, count: Integers, payload: Integers, target: Integers) -> None:
        if graded:
            kernels.dense_payload(weights, exponent, wide, index, count, payload, target)
        else:
            kernels.dense(weights, exponent, index, count, target)

    return multiply


def _convolve(c: ConvConnection) -> Deliver:
    weights = _by_input_channel(c)

    def convolve(index: Integers, count: Integers, payload: Integers, target: Integers) -> None:
        kernels.conv(
            weights, c.weight_exp, c.input_shape, c.output_shape, c.stride, c.padding, c.dilation, c.groups,
            index, count, payload, target,
        )  # fmt: skip

    return convolve


def _by_input_channel(connection: ConvConnection) -> NDArray[np.int32]:
    """(out, in / groups, h, w) -> (in, h, w, out / groups): for each input channel the kernels of its own group."""
    out, per_group, height, width = connection.weights.shape
    groups = connection.groups
    grouped = connection.weights.reshape(groups, out // groups, per_group, height, width)
    return np.ascontiguousarray(grouped.transpose(0, 2, 3, 4, 1)).reshape(
        groups * per_group, height, width, out // groups
    )
