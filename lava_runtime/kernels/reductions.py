"""Sums along rows of samples, in an order that does not depend on the vector width of the processor."""

from __future__ import annotations

from spikeport.common.compiled import njit


@njit(cache=True, nogil=True)
def add_product(into, row, factor):
    """Add row * factor to a row of the same length."""
    if factor != 0:
        for b in range(len(row)):
            into[b] += row[b] * factor


@njit(cache=True, nogil=True)
def total(row):
    """The sum of a row, as eight independent partial sums."""
    whole = len(row) // 8 * 8
    a, b, c, d, e, f, g, h = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(0, whole, 8):
        a += row[i]
        b += row[i + 1]
        c += row[i + 2]
        d += row[i + 3]
        e += row[i + 4]
        f += row[i + 5]
        g += row[i + 6]
        h += row[i + 7]
    for i in range(whole, len(row)):
        a += row[i]
    return ((a + b) + (c + d)) + ((e + f) + (g + h))
