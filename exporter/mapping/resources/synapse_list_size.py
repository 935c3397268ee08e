"""How far a slice can grow, in numba: memory and axons of lists as neurons are added one after the other."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def grown(indptr, indices, first, count, each, word, header, longest, seen, bits, axons):
    """Bits and axons of the lists into neurons first .. first + n, (count,) each, added to what bits and axons hold.

    seen: (source size,) zeros, and zeros again after; each: bits of a synapse with its index.
    """
    full = -(-(longest * each + header) // word) * word
    total, reached = np.int64(0), np.int64(0)
    for n in range(count):
        for k in range(indptr[first + n], indptr[first + n + 1]):
            source = indices[k]
            held = seen[source]
            rest = held % longest
            before = 0 if rest == 0 else -(-(rest * each + header) // word) * word
            after = full if rest + 1 == longest else -(-((rest + 1) * each + header) // word) * word
            total += after - before
            if held == 0:
                reached += 1
            seen[source] = held + 1
        bits[n] += total
        axons[n] += reached
    for k in range(indptr[first], indptr[first + count]):
        seen[indices[k]] = 0
