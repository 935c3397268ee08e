"""Lists of active elements (spike events), and the kernels that build them from spikes, bits and payloads.

The kernels are single-threaded and release the interpreter's lock, because the emulator runs groups of samples in
threads and the Lava processes run in parallel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.compiled import njit

from .bits import first_bit, number_of_bits, set_bytes

Integers = NDArray[np.int32]

WORD = 64
# bits of a word that are listed without checking how many are set
_UNCONDITIONAL = 8


@dataclass
class SpikeEvents:
    """The active elements, row (one sample in one step) after row.

    index: active elements of all rows, (capacity,); payload: of each, (capacity,), or a single 1 for spikes without
    payload; begin: start of each row in both, (rows + 1,).
    """

    index: Integers
    payload: Integers
    begin: NDArray[np.int64]
    size: int

    @classmethod
    def empty(cls, rows: int, size: int, graded: bool) -> SpikeEvents:
        """No active elements; memory is touched only as elements are listed."""
        capacity = rows * size + _UNCONDITIONAL
        payload = np.empty(capacity, np.int32) if graded else np.ones(1, np.int32)
        return cls(np.empty(capacity, np.int32), payload, np.zeros(rows + 1, np.int64), size)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.begin) - 1

    @property
    def density(self) -> float:
        """The fraction of elements that are active."""
        return float(self.begin[-1] - self.begin[0]) / max(self.rows * self.size, 1)

    def part(self, first: int, last: int) -> SpikeEvents:
        """Rows first to last - 1, sharing memory; earlier parts are filled before later ones."""
        return SpikeEvents(self.index, self.payload, self.begin[first : last + 1], self.size)

    def read_words(self, words: NDArray[np.uint64]) -> None:
        """Read spikes packed by `pack`, (rows, words)."""
        list_bits(words, self.index, self.begin)

    def read_spikes(self, spikes: NDArray[Any]) -> None:
        """Read spikes as bytes other than 0, (rows, size)."""
        self.read_words(packed(spikes))

    def read_payloads(self, values: NDArray[Any]) -> None:
        """Read one payload per element, 0 for none, (rows, size)."""
        list_payloads(values, self.index, self.begin, self.payload)

    def count_into(self, total: Integers) -> None:
        """Add one to `total`, (samples, size), for every active element; row r belongs to sample r % samples."""
        count_active(self.index, self.begin, total)


def words_of(size: int) -> int:
    """Words per row of `size` bits."""
    return -(-size // WORD)


def packed(spikes: NDArray[Any]) -> NDArray[np.uint64]:
    """One bit per element: (rows, size) bytes to (rows, words), the first element in the lowest bit."""
    words = np.empty((len(spikes), words_of(spikes.shape[1])), np.uint64)
    pack(spikes, words)
    return words


@njit(cache=True, nogil=True)
def pack(spikes, words):
    """One bit for every byte that is not 0 of contiguous rows."""
    for r in range(spikes.shape[0]):
        row = spikes[r]
        whole = len(row) // 64
        for n in range(whole):
            words[r, n] = set_bytes(row, 64 * n)
        if whole < words.shape[1]:
            word = np.uint64(0)
            for i in range(64 * whole, len(row)):
                word |= np.uint64(row[i] != 0) << np.uint64(i - 64 * whole)
            words[r, whole] = word


@njit(cache=True, nogil=True)
def list_bits(words, index, begin):
    """List the indices of set bits per row; eight are written at a time, and surplus ones are overwritten."""
    k = begin[0]
    for r in range(words.shape[0]):
        for n in range(words.shape[1]):
            word = words[r, n]
            if word == 0:
                continue
            number = np.int64(number_of_bits(word))
            for j in range(_UNCONDITIONAL):
                index[k + j] = np.int32(64 * n) + np.int32(first_bit(word))
                word &= word - np.uint64(1)
            for j in range(_UNCONDITIONAL, number):
                index[k + j] = np.int32(64 * n) + np.int32(first_bit(word))
                word &= word - np.uint64(1)
            k += number
        begin[r + 1] = k


@njit(cache=True, nogil=True)
def list_payloads(values, index, begin, payload):
    """List the indices and payloads of nonzero elements per row."""
    k = begin[0]
    for r in range(values.shape[0]):
        for i in range(values.shape[1]):
            if values[r, i] != 0:
                index[k] = i
                payload[k] = values[r, i]
                k += 1
        begin[r + 1] = k


@njit(cache=True, nogil=True)
def count_active(index, begin, total):
    """Add one for every active element."""
    for r in range(len(begin) - 1):
        counts = total[r % len(total)]
        for k in range(begin[r], begin[r + 1]):
            # unsigned, so that Numba does not wrap negative indices
            counts[np.uint32(index[k])] += 1


def warm_up() -> None:
    """Compile, or load from the cache, the kernels of this module."""
    active = SpikeEvents.empty(1, 8, True)
    active.read_spikes(np.ones((1, 8), np.uint8))
    active.count_into(np.zeros((1, 8), np.int32))
    active.read_payloads(np.ones((1, 8), np.int32))
    # arrays mapped from disk are read-only, which is another type
    mapped = np.ones((1, 8), np.uint8)
    mapped.flags.writeable = False
    active.read_spikes(mapped)
