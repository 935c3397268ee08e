"""Single-pass kernels over compressed rows for quantisation, without temporary arrays.

Each gives the same numbers as the NumPy or SciPy expression in its first line, added in the same order.
"""

from __future__ import annotations

import numpy as np

from spikeport.common.compiled import njit


@njit(cache=True)
def on_grid(values, factor, step, low, high):
    """clip(rint(values * factor) * step, low, high) as 32-bit integers."""
    points = np.empty(values.shape, np.int32)
    for k in range(len(values)):
        points[k] = np.int32(min(max(np.rint(values[k] * factor) * step, low), high))
    return points


@njit(cache=True)
def times_rows(values, pointers, factors):
    """values *= repeat(factors, diff(pointers)), in place."""
    for row in range(len(factors)):
        for k in range(pointers[row], pointers[row + 1]):
            values[k] *= factors[row]


@njit(cache=True)
def row_sums(values, pointers):
    """Sums of the values and of their magnitudes per row: csr @ ones and abs(csr) @ ones."""
    signed, absolute = np.zeros(len(pointers) - 1), np.zeros(len(pointers) - 1)
    for row in range(len(signed)):
        total, size = 0.0, 0.0
        for k in range(pointers[row], pointers[row + 1]):
            total += values[k]
            size += abs(values[k])
        signed[row], absolute[row] = total, size
    return signed, absolute


@njit(cache=True)
def select_entries(values, indices, pointers, selected):
    """values[chosen], indices[chosen] and the pointers to them."""
    count = 0
    for flag in selected:
        count += flag
    selected_values, selected_indices = np.empty(count, values.dtype), np.empty(count, indices.dtype)
    row_starts = np.zeros_like(pointers)
    n = 0
    for row in range(len(pointers) - 1):
        for k in range(pointers[row], pointers[row + 1]):
            if selected[k]:
                selected_values[n], selected_indices[n] = values[k], indices[k]
                n += 1
        row_starts[row + 1] = n
    return selected_values, selected_indices, row_starts
