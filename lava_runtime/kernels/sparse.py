"""Synapses as a sparse matrix, one row per source: every stored weight of an active source is added by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from spikeport.common.compiled import njit
from spikeport.common.prefetch import prefetch

from .spike_events import Integers, SpikeEvents

# prefetch of scattered rows: rows ahead, synapses of each, and row pointers ahead (together 2 x as fast)
_AHEAD = 4
_FIRST = 512
_POINTERS_AHEAD = 16


class SparseSynapses:
    """matrix: (source size, target size), no zeros stored; wide: as in kernels/dense.py."""

    def __init__(self, matrix: csr_array, exponent: int, wide: bool) -> None:
        self._pointers: Any = matrix.indptr.astype(np.int64)
        self._synapses, self._bits = _packed(matrix)
        self._exponent = exponent
        self._total = np.int64 if wide else np.int32

    def deliver(self, active: SpikeEvents, target: Integers) -> None:
        """Add to target (batch, size) what the active sources send."""
        rows = self._pointers, self._synapses, self._bits, abs(self._exponent)
        if self._exponent >= 0:
            add_each(*rows, active.index, active.begin, active.payload, target)
        else:
            total = np.zeros(target.shape[1], self._total)
            add_each_shifted_right(*rows, total, active.index, active.begin, active.payload, target)


def _packed(matrix: csr_array) -> tuple[Any, int]:
    """Synapses as words, the target in the low bits and the signed weight above; with the number of low bits."""
    largest, bits = int(np.abs(matrix.data).max(initial=0)), max(1, (matrix.shape[1] - 1).bit_length())
    words: Any = matrix.data.astype(np.int32 if bits + largest.bit_length() < 32 else np.int64)
    words <<= bits
    words |= matrix.indices
    return words, bits


@njit(cache=True, nogil=True)
def add_each(pointers, synapses, bits, exponent, index, begin, payload, target):
    """Add weight * payload * 2**exponent; the low 32 bits of a sum stay correct when it wraps."""
    last, mask = len(payload) - 1, (1 << bits) - 1
    for b in range(target.shape[0]):
        sums = target[b]
        for k in range(begin[b], begin[b + 1]):
            _prefetch_ahead(pointers, synapses, index, k, begin[b + 1])
            source = index[k]
            factor = np.int32(np.int64(payload[min(k, last)]) << exponent)
            for synapse in synapses[pointers[source] : pointers[source + 1]]:
                # unsigned, so that Numba does not wrap negative indices
                sums[np.uint32(synapse & mask)] += np.int32(np.int32(synapse >> bits) * factor)


@njit(cache=True, nogil=True)
def add_each_shifted_right(pointers, synapses, bits, exponent, total, index, begin, payload, target):
    """Add the whole sum of weight * payload, divided by 2**exponent and rounded down; total: zeros, (target size,)."""
    last, mask = len(payload) - 1, (1 << bits) - 1
    for b in range(target.shape[0]):
        for k in range(begin[b], begin[b + 1]):
            _prefetch_ahead(pointers, synapses, index, k, begin[b + 1])
            source, factor = index[k], payload[min(k, last)]
            for synapse in synapses[pointers[source] : pointers[source + 1]]:
                total[np.uint32(synapse & mask)] += np.int32(np.int32(synapse >> bits) * factor)
        if begin[b + 1] > begin[b]:
            for j in range(len(total)):
                target[b, j] += np.int32(total[j] >> exponent)
                total[j] = 0


@njit(cache=True, inline="always")
def _prefetch_ahead(pointers, synapses, index, k, last):
    if k + _POINTERS_AHEAD < last:
        prefetch(pointers, index[k + _POINTERS_AHEAD])
    if k + _AHEAD < last:
        first = pointers[index[k + _AHEAD]]
        # 64 bytes a line: 16 synapses
        for n in range(first, min(pointers[index[k + _AHEAD] + 1], first + _FIRST), 16):
            prefetch(synapses, n)


def warm_up() -> None:
    """Compile, or load from the cache, the kernels of this module."""
    for targets in (1, 1 << 20):
        # words of 32 and of 64 bit
        matrix = csr_array((np.full(1, 1 << 14, np.int16), [0], [0, 1]), shape=(1, targets))
        for exponent, wide in ((0, False), (-1, False), (-1, True)):
            SparseSynapses(matrix, exponent, wide).deliver(
                SpikeEvents.empty(1, 1, False), np.zeros((1, targets), np.int32)
            )
