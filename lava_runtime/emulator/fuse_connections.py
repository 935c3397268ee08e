"""Connections that can be delivered as one: the parts into which a synapse was split keep its bits, not its speed.

What arrives from each is (sum of weights) * 2**exponent in 32 bit, so weights of one exponent can be added up, and
those of a higher one shifted to it. A convolution's sum is cut to 24 bit, and is merged only where it cannot come that
far.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from spikeport.exporter.program.chip_program import Connection, ConvConnection, DenseConnection, SparseConnection

# larger ones would make the kernels' sums in 16 bit short, and a sparse synapse longer than a word
_LARGEST_WEIGHT = 1023
_CUT = 1 << 23


def merged(connections: Iterable[Connection], graded: set[str]) -> tuple[Connection, ...]:
    """Connections that deliver the same, as few as there need be; graded: the sources that send payloads."""
    found: list[Connection] = []
    for connection in sorted(connections, key=lambda c: c.weight_exp):
        for place, other in enumerate(found):
            one = _one(other, connection, connection.source in graded)
            if one is not None:
                found[place] = one
                break
        else:
            found.append(connection)
    return tuple(found)


def _one(low: Connection, high: Connection, graded: bool) -> Connection | None:
    """Both as one connection with the first one's exponent, the lower; None where that is not the same."""
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
        longest = _longest(low) + (_longest(high) << shift)
        if graded or longest << low.weight_exp >= _CUT:
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


def _longest(c: Connection) -> int:
    """The largest magnitude of an output channel's sum, every source active."""
    return int(np.abs(c.weights).sum(axis=(1, 2, 3)).max(initial=0))


def _matrix(c: SparseConnection, columns: int, shift: int) -> csr_array:
    return csr_array((c.weights << shift, c.indices, c.indptr), shape=(len(c.indptr) - 1, columns))
