"""Lists of the elements that are active in a step, and the kernels that make them from bits and payloads.

The kernels run without threads of their own and release the interpreter's lock: the emulator runs groups of samples in
threads, the Lava processes run beside each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Integers = NDArray[np.int32]

# for every byte the places of its bits, first bit first as numpy.packbits lays them out, and how many there are
_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
_ORDER = np.argsort(1 - _BITS, axis=1, kind="stable").astype(np.int32)
_NUMBER = _BITS.sum(axis=1, dtype=np.int32)


@dataclass
class Active:
    """Which elements are active in this step, a sample: indices, payloads and how many.

    index: (batch, size + 8), the first `count` count (whole bytes are listed at once); payload: (batch, size), ones
    where spikes carry none.
    """

    index: Integers
    payload: Integers
    count: Integers

    @classmethod
    def empty(cls, batch: int, size: int) -> Active:
        """No element active."""
        return cls(np.zeros((batch, size + 8), np.int32), np.ones((batch, size), np.int32), np.zeros(batch, np.int32))

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.payload.shape[1]

    @property
    def density(self) -> float:
        """The share of elements that are active."""
        return float(self.count.sum()) / self.payload.size

    def read_bits(self, packed: NDArray[np.uint8]) -> None:
        """Take in spikes packed as numpy.packbits(spikes, axis=1) does."""
        list_bits(packed, _ORDER, _NUMBER, self.index, self.count)

    def read_payloads(self, values: NDArray[Any]) -> None:
        """Take in a payload an element, 0 for none."""
        list_payloads(values, self.index, self.count, self.payload)

    def count_into(self, total: Integers) -> None:
        """Add one to `total`, (batch, size), for every active element."""
        count_active(self.index, self.count, total)


@njit(cache=True, nogil=True)
def list_bits(packed, order, number, index, count):
    """Collect the indices of the bits that are set, a sample: eight at a time, of which those that count stay."""
    for b in range(packed.shape[0]):
        k = 0
        for n in range(packed.shape[1]):
            byte = packed[b, n]
            if byte != 0:
                for j in range(8):
                    index[b, k + j] = np.int32(8 * n) + order[byte, j]
                k += number[byte]
        count[b] = k


@njit(cache=True, nogil=True)
def list_payloads(values, index, count, payload):
    """Collect the indices and payloads of the elements that are not zero, a sample."""
    for b in range(values.shape[0]):
        k = 0
        for i in range(values.shape[1]):
            if values[b, i] != 0:
                index[b, k] = i
                payload[b, k] = values[b, i]
                k += 1
        count[b] = k


@njit(cache=True, nogil=True)
def count_active(index, count, total):
    """Add one for every active element."""
    for b in range(total.shape[0]):
        for k in range(count[b]):
            total[b, index[b, k]] += 1


def warm_up() -> None:
    """Compile, or load from the cache, the kernels of this file."""
    active = Active.empty(1, 8)
    active.read_bits(np.ones((1, 1), np.uint8))
    active.count_into(np.zeros((1, 8), np.int32))
    active.read_payloads(np.ones((1, 8), np.int32))
