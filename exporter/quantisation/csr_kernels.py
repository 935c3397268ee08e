"""Compressed rows gone through once: what quantisation does with every weight, without arrays in between.

Each gives the very numbers of the NumPy or SciPy expression in its first line, in the same order of additions.
"""

from __future__ import annotations

import numpy as np
from numba import njit


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
    """Sums of the values and of their magnitudes, a row: csr @ ones and abs(csr) @ ones."""
    signed, absolute = np.zeros(len(pointers) - 1), np.zeros(len(pointers) - 1)
    for row in range(len(signed)):
        total, size = 0.0, 0.0
        for k in range(pointers[row], pointers[row + 1]):
            total += values[k]
            size += abs(values[k])
        signed[row], absolute[row] = total, size
    return signed, absolute


@njit(cache=True)
def chosen_rows(values, indices, pointers, chosen):
    """values[chosen], indices[chosen] and the pointers to them."""
    number = 0
    for flag in chosen:
        number += flag
    kept, where, begins = np.empty(number, values.dtype), np.empty(number, indices.dtype), np.zeros_like(pointers)
    n = 0
    for row in range(len(pointers) - 1):
        for k in range(pointers[row], pointers[row + 1]):
            if chosen[k]:
                kept[n], where[n] = values[k], indices[k]
                n += 1
        begins[row + 1] = n
    return kept, where, begins
