"""Synapse-list memory and input axons as neurons are added to a slice (numba)."""

from __future__ import annotations

import numpy as np

from spikeport.common.compiled import njit


@njit(cache=True, nogil=True)
def add_list_sizes(indptr, indices, first, count, each, word, header, longest, seen, bits, axons):
    """Add bits and axons of the lists into neurons first .. first + n to `bits` and `axons`, (count,) each.

    seen: (source size,) zeros, zeroed again at the end; each: bits of a synapse with its index.
    """
    full = -(-(longest * each + header) // word) * word
    total, reached = np.int64(0), np.int64(0)
    for n in range(count):
        for k in range(indptr[first + n], indptr[first + n + 1]):
            source = indices[k]
            length = seen[source]
            rest = length % longest
            before = 0 if rest == 0 else -(-(rest * each + header) // word) * word
            after = full if rest + 1 == longest else -(-((rest + 1) * each + header) // word) * word
            total += after - before
            if length == 0:
                reached += 1
            seen[source] = length + 1
        bits[n] += total
        axons[n] += reached
    for k in range(indptr[first], indptr[first + count]):
        seen[indices[k]] = 0
