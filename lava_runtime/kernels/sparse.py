"""Synapses held as a sparse matrix, a source a row: every stored weight of an active source is added on its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from scipy.sparse import csr_array

from .active import Active, Integers
from .prefetch import prefetch

# rows of active sources lie anywhere in memory: so many are asked for ahead, and so much of each (1.5 x as fast)
_AHEAD = 4
_FIRST = 512


class SparseSynapses:
    """matrix: (source size, target size), no zeros stored; wide: as in kernels/dense.py."""

    def __init__(self, matrix: csr_array, exponent: int, wide: bool) -> None:
        self._pointers: Any = matrix.indptr.astype(np.int64)
        self._targets: Any = matrix.indices.astype(np.int32, copy=False)
        self._values: Any = matrix.data.astype(np.int16, copy=False)
        self._exponent = exponent
        self._total = np.int64 if wide else np.int32

    def deliver(self, active: Active, target: Integers) -> None:
        """Add to target (batch, size) what the active sources send."""
        rows = self._pointers, self._targets, self._values, abs(self._exponent)
        if self._exponent >= 0:
            add_each(*rows, active.index, active.begin, active.payload, target)
        else:
            total = np.zeros(target.shape[1], self._total)
            add_each_shifted_right(*rows, total, active.index, active.begin, active.payload, target)


@njit(cache=True, nogil=True)
def add_each(pointers, targets, values, exponent, index, begin, payload, target):
    """Add weight * payload * 2**exponent; the low 32 bits of a sum do not mind when it wraps."""
    last = len(payload) - 1
    for b in range(target.shape[0]):
        sums = target[b]
        for k in range(begin[b], begin[b + 1]):
            _ask_ahead(pointers, targets, values, index, k, begin[b + 1])
            source = index[k]
            factor = np.int32(np.int64(payload[min(k, last)]) << exponent)
            first, end = pointers[source], pointers[source + 1]
            reached, weights = targets[first:end], values[first:end]
            for n in range(len(reached)):
                # unsigned: no index counts from the end
                sums[np.uint32(reached[n])] += np.int32(weights[n] * factor)


@njit(cache=True, nogil=True)
def add_each_shifted_right(pointers, targets, values, exponent, total, index, begin, payload, target):
    """Add the whole sum of weight * payload, divided by 2**exponent and rounded down; total: zeros, (target size,)."""
    last = len(payload) - 1
    for b in range(target.shape[0]):
        for k in range(begin[b], begin[b + 1]):
            _ask_ahead(pointers, targets, values, index, k, begin[b + 1])
            source, factor = index[k], payload[min(k, last)]
            first, end = pointers[source], pointers[source + 1]
            reached, weights = targets[first:end], values[first:end]
            for n in range(len(reached)):
                total[np.uint32(reached[n])] += np.int32(weights[n] * factor)
        if begin[b + 1] > begin[b]:
            for j in range(len(total)):
                target[b, j] += np.int32(total[j] >> exponent)
                total[j] = 0


@njit(cache=True, inline="always")
def _ask_ahead(pointers, targets, values, index, k, last):
    if k + _AHEAD < last:
        first = pointers[index[k + _AHEAD]]
        end = min(pointers[index[k + _AHEAD] + 1], first + _FIRST)
        # 64 bytes a line: 16 targets, 32 values
        for n in range(first, end, 16):
            prefetch(targets, n)
        for n in range(first, end, 32):
            prefetch(values, n)


def warm_up() -> None:
    """Compile, or load from the cache, the kernels of this file."""
    matrix = csr_array(np.ones((1, 1), np.int16))
    for exponent, wide in ((0, False), (-1, False), (-1, True)):
        SparseSynapses(matrix, exponent, wide).deliver(Active.empty(1, 1, False), np.zeros((1, 1), np.int32))
