"""Weights that are integers of 8 bits times one number: how many bits they need."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# the largest integer of a weight
_LARGEST = 255
# relative error of numbers stored in 32 bit, and of their products
_FLOAT32_ERROR = 2e-6


def largest_integer(weights: NDArray[Any]) -> int | None:
    """The largest |integer| if all weights are integers of up to 8 bits times one number; None if they are not."""
    sizes = np.abs(np.asarray(weights, np.float64)).reshape(-1)
    largest = float(sizes.max(initial=0))
    if not largest > 0 or not np.isfinite(largest):
        return None
    # equal but for their rounding
    ratios = np.unique(np.rint(sizes / largest / _FLOAT32_ERROR)) * _FLOAT32_ERROR
    if len(ratios) > _LARGEST + 1:
        return None
    for integer in range(1, _LARGEST + 1):
        multiples = ratios * integer
        if np.abs(multiples - np.rint(multiples)).max() <= _FLOAT32_ERROR * integer:
            return integer
    return None


def needed_bits(weights: NDArray[Any], most: int) -> int:
    """Bits of the weights' sizes, at most `most`: 1 where all are equal, `most` where they have no common unit."""
    integer = largest_integer(weights)
    return most if integer is None else min(most, integer.bit_length())
