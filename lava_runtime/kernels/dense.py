"""Synapses as a dense matrix: rows of the active sources are added, or multiplied by BLAS if many are active.

The result is (sum of weight * payload) * 2**exponent in 32 bit; a negative exponent shifts right. Additions and left
shifts may wrap at any time, the low 32 bits stay correct. As in lava.proc, a right shift applies to the sum of 32-bit
products, in 32 bit, or if `wide` (DelayDense) in 64.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.compiled import njit

from .spike_events import Integers, SpikeEvents

# fractions of active sources from which the matrix product is faster: estimates that affect only speed
PRODUCT_FROM_SPIKES = 0.6
PRODUCT_FROM_PAYLOADS = 0.25
_INT16_MAX = 32767
_INT32_LIMIT = 1 << 31
# floating point adds integers exactly as long as sums fit the significand
_EXACT: tuple[tuple[type[np.floating[Any]], int], ...] = ((np.float32, 1 << 24), (np.float64, 1 << 53))


class DenseSynapses:
    """weights: (source size, target size); graded: whether the sources' spikes carry payloads."""

    def __init__(self, weights: NDArray[Any], exponent: int, graded: bool, wide: bool) -> None:
        self._weights: NDArray[np.int16] = np.ascontiguousarray(weights, dtype=np.int16)
        self._exponent, self._graded = exponent, graded
        self._total = np.int64 if wide else np.int32
        # number of rows that are summed in 16 bit before the sum is added in 32 bit
        self._rows = _INT16_MAX // max(int(np.abs(self._weights).max(initial=0)), 1)
        self._floats: dict[type[np.floating[Any]], NDArray[Any]] = {}

    def deliver(self, active: SpikeEvents, target: Integers) -> None:
        """Add to target (batch, size) what the active sources send."""
        if active.density >= (PRODUCT_FROM_PAYLOADS if self._graded else PRODUCT_FROM_SPIKES):
            largest = largest_payload(active.begin, active.payload) if self._graded else 1
            for kind, limit in _EXACT:
                if largest * self._largest_sum < (limit if self._exponent >= 0 else min(limit, _INT32_LIMIT)):
                    self._multiply(active, target, kind)
                    return
        if not self._graded:
            add_rows(self._weights, self._rows, self._exponent, active.index, active.begin, target)
        elif self._exponent >= 0:
            add_rows_times_payload(self._weights, self._exponent, active.index, active.begin, active.payload, target)
        else:
            total = np.zeros(target.shape[1], self._total)
            add_rows_times_payload_shifted_right(
                self._weights, -self._exponent, total, active.index, active.begin, active.payload, target
            )

    @cached_property
    def _largest_sum(self) -> int:
        """The largest magnitude of a target's sum if every source sends 1 or -1."""
        return int(np.abs(self._weights).sum(axis=0, dtype=np.int64).max(initial=0))

    def _multiply(self, active: SpikeEvents, target: Integers, kind: type[np.floating[Any]]) -> None:
        if kind not in self._floats:
            self._floats[kind] = self._weights.astype(kind)
        values = np.zeros((active.rows, active.size), kind)
        scatter(active.index, active.begin, active.payload, values)
        add_shifted(values @ self._floats[kind], self._exponent, target)


@njit(cache=True, nogil=True)
def add_rows(weights, rows, exponent, index, begin, target):
    """Add the rows of the active sources, eight at a time and `rows` of them in 16 bit, then add the sum in 32 bit."""
    size = weights.shape[1]
    part = np.zeros(size, np.int16)
    total = np.zeros(size, np.int32)
    factor = np.int32(1 << max(exponent, 0))
    for b in range(target.shape[0]):
        first = begin[b]
        while first < begin[b + 1]:
            stop = min(begin[b + 1], first + rows)
            eights = first + (stop - first) // 8 * 8
            for k in range(first, eights, 8):
                row0, row1 = weights[index[k]], weights[index[k + 1]]
                row2, row3 = weights[index[k + 2]], weights[index[k + 3]]
                row4, row5 = weights[index[k + 4]], weights[index[k + 5]]
                row6, row7 = weights[index[k + 6]], weights[index[k + 7]]
                for j in range(size):
                    part[j] = np.int16(
                        part[j] + row0[j] + row1[j] + row2[j] + row3[j] + row4[j] + row5[j] + row6[j] + row7[j]
                    )
            for k in range(eights, stop):
                row = weights[index[k]]
                for j in range(size):
                    part[j] = np.int16(part[j] + row[j])
            first = stop
            sums = target[b] if exponent >= 0 else total
            for j in range(size):
                sums[j] += np.int32(np.int32(part[j]) * factor)
                part[j] = 0
        if exponent < 0 and begin[b + 1] > begin[b]:
            for j in range(size):
                target[b, j] += total[j] >> -exponent
                total[j] = 0


@njit(cache=True, nogil=True)
def add_rows_times_payload(weights, exponent, index, begin, payload, target):
    """The same for graded spikes: each source's row times its payload."""
    for b in range(target.shape[0]):
        sums = target[b]
        for k in range(begin[b], begin[b + 1]):
            row = weights[index[k]]
            factor = np.int32(np.int64(payload[k]) << exponent)
            for j in range(len(row)):
                sums[j] += np.int32(row[j] * factor)


@njit(cache=True, nogil=True)
def add_rows_times_payload_shifted_right(weights, exponent, total, index, begin, payload, target):
    """The same divided by 2**exponent and rounded down; total: zeros, (target size,), as wide as the sum."""
    for b in range(target.shape[0]):
        for k in range(begin[b], begin[b + 1]):
            row = weights[index[k]]
            factor = payload[k]
            for j in range(len(row)):
                total[j] += np.int32(row[j] * factor)
        for j in range(len(total)):
            target[b, j] += np.int32(total[j] >> exponent)
            total[j] = 0


@njit(cache=True, nogil=True)
def largest_payload(begin, payload):
    """The largest magnitude among the active payloads."""
    largest = np.int64(0)
    for k in range(begin[0], begin[-1]):
        largest = max(largest, abs(np.int64(payload[k])))
    return largest


@njit(cache=True, nogil=True)
def scatter(index, begin, payload, values):
    """Scatter the payloads into a matrix of zeros, (batch, source size)."""
    for b in range(values.shape[0]):
        for k in range(begin[b], begin[b + 1]):
            values[b, index[k]] = payload[min(k, len(payload) - 1)]


@njit(cache=True, nogil=True)
def add_shifted(sums, exponent, target):
    """Add sums that are whole numbers in floating point."""
    for b in range(target.shape[0]):
        for j in range(target.shape[1]):
            value = np.int64(sums[b, j])
            target[b, j] += np.int32(value << exponent if exponent >= 0 else value >> -exponent)


def warm_up() -> None:
    """Compile, or load from the cache, the kernels of this module."""
    target = np.zeros((1, 1), np.int32)
    for graded, exponent, wide in ((False, 0, False), (True, 0, False), (True, -1, False), (True, -1, True)):
        synapses = DenseSynapses(np.ones((1, 1)), exponent, graded, wide)
        active = SpikeEvents.empty(1, 1, graded)
        synapses.deliver(active, target)
        largest_payload(active.begin, active.payload)
        for kind, _ in _EXACT:
            synapses._multiply(active, target, kind)
