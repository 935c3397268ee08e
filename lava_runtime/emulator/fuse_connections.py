"""Fuses connections that can be delivered as one, such as the parts into which a synapse was split.

Each delivers (sum of weights) * 2**exponent in 32 bit, so weights of equal exponent can be added, and those of a higher
exponent shifted first. The sum of a convolution is cut to 24 bit, so it is fused only if it cannot become that large.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from spikeport.exporter.program.chip_program import Connection, ConvConnection, DenseConnection, SparseConnection

# larger weights would shorten the kernels' 16-bit sums and make a sparse synapse longer than a word
_LARGEST_WEIGHT = 1023
_CUT = 1 << 23


def fuse_connections(connections: Iterable[Connection], graded: set[str]) -> tuple[Connection, ...]:
    """The fewest connections that deliver the same; graded: the sources that send payloads."""
    fused: list[Connection] = []
    for connection in sorted(connections, key=lambda c: c.weight_exp):
        for index, other in enumerate(fused):
            combined = _fused(other, connection, connection.source in graded)
            if combined is not None:
                fused[index] = combined
                break
        else:
            fused.append(connection)
    return tuple(fused)


def _fused(low: Connection, high: Connection, graded: bool) -> Connection | None:
    """Both as one connection with the lower exponent, the first's; None if the result would differ."""
    if type(low) is not type(high) or _ends(low) != _ends(high) or low.weight_exp < 0 or _delayed(low, high):
        return None
    shift = high.weight_exp - low.weight_exp
    if _largest(low) + (_largest(high) << shift) > _LARGEST_WEIGHT:
        return None
    if isinstance(low, SparseConnection) and isinstance(high, SparseConnection):
        columns = 1 + max(int(c.indices.max(initial=0)) for c in (low, high))
        total = _matrix(low, columns, 0) + _matrix(high, columns, shift)
        indices, indptr = total.indices.astype(np.int32, copy=False), total.indptr.astype(np.int64)
        return replace(low, weights=total.data, indices=indices, indptr=indptr)
    if isinstance(low, ConvConnection):
        largest_sum = _largest_sum(low) + (_largest_sum(high) << shift)
        if graded or largest_sum << low.weight_exp >= _CUT:
            return None
    assert isinstance(low, (DenseConnection, ConvConnection))
    return replace(low, weights=low.weights + (high.weights << shift))


def _ends(c: Connection) -> tuple[object, ...]:
    ends = c.source, c.target, c.port, c.delay
    if isinstance(c, ConvConnection):
        return *ends, c.weights.shape, c.input_shape, c.output_shape, c.stride, c.padding, c.dilation, c.groups
    return ends


def _delayed(*connections: Connection) -> bool:
    return any(c.axonal_delays is not None or c.synaptic_delays is not None for c in connections)


def _largest(c: Connection) -> int:
    return int(np.abs(c.weights).max(initial=0))


def _largest_sum(c: Connection) -> int:
    """The largest magnitude of an output channel's sum with every source active."""
    return int(np.abs(c.weights).sum(axis=(1, 2, 3)).max(initial=0))


def _matrix(c: SparseConnection, columns: int, shift: int) -> csr_array:
    return csr_array((c.weights << shift, c.indices, c.indptr), shape=(len(c.indptr) - 1, columns))
