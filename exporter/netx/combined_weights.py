"""Combine the connections between two layers into the single integer array of a .net file, and their delays.

netx shifts and truncates weights of dense layers before it passes them to Lava (lava-dl 0.6.0,
lava/lib/dl/netx/utils.py, optimize_weight_bits; lava-nc 0.10.0, lava/utils/weightutils.py, truncate_weights).
`weights_survive` checks that they are unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spikeport.common.errors import InputError
from spikeport.exporter.program.chip_program import (
    Connection,
    ConvConnection,
    DenseConnection,
    Integers,
    SparseConnection,
    delays_per_weight,
)
from spikeport.exporter.quantisation.dequantise import geometry_of, stored_weights
from spikeport.hardware_profiles.fixed_point import STATE_UNIT

LOWEST, HIGHEST = -256, 255
# netx clips longer delays
LONGEST_DELAY = 62
# matrices with more elements cannot be loaded by anything
_LARGEST = 1 << 28


@dataclass(frozen=True)
class Matrix:
    """Weights (target size, source size) and each one's delay beyond the first step, None if there are none."""

    weights: Integers
    delays: Integers | None


def kernel_of(parts: Sequence[Connection], context: str) -> tuple[Integers, ConvConnection] | None:
    """The sum of the kernels of convolutions of one shape, and one of them; None if they are not convolutions."""
    convolutions = [part for part in parts if isinstance(part, ConvConnection)]
    if len(convolutions) < len(parts):
        return None
    first = convolutions[0]
    if any((geometry_of(c), c.weights.shape) != (geometry_of(first), first.weights.shape) for c in convolutions):
        raise InputError(f"{context}: is reached by convolutions of two shapes, but a .net layer has one; join them")
    if any(part.longest_delay > 1 for part in convolutions):
        raise InputError(f"{context}: has a convolution with a delay, which netx ignores; use a dense layer there")
    return _total(convolutions, (0, 0), context), first


def matrix_of(parts: Sequence[Connection], shape: tuple[int, int], context: str) -> Matrix:
    """The combined matrix and delays of dense and sparse connections; raises InputError."""
    if shape[0] * shape[1] > _LARGEST:
        raise InputError(
            f"{context}: is a matrix of {shape[0]} x {shape[1]}, and a .net file has no sparse one; "
            "use a convolution, or stay with NIR"
        )
    if not parts:
        return Matrix(np.zeros(shape, np.int32), None)
    delays, used = np.zeros(shape, np.int32), np.zeros(shape, np.bool_)
    for part in parts:
        if not isinstance(part, DenseConnection | SparseConnection):
            raise InputError(f"{context}: is reached by a convolution and a matrix, but a .net layer has one synapse")
        nonzero, delays_of_part = _full(part, part.weights, shape) != 0, part.delay - 1 + delays_per_weight(part)
        extra_delays = _full(part, delays_of_part, shape).astype(np.int32)
        if np.any(used & nonzero & (extra_delays != delays)):
            raise InputError(f"{context}: has two synapses of different delay between two neurons; leave one out")
        delays = np.where(nonzero | ~used, extra_delays, delays)
        used |= nonzero
    if delays.max(initial=0) > LONGEST_DELAY:
        raise InputError(
            f"{context}: waits {delays.max()} steps, but a .net file's delays end at {LONGEST_DELAY}; shorten them"
        )
    return Matrix(_total(parts, shape, context), delays if np.any(delays[used]) else None)


def weights_survive(matrices: Sequence[Integers]) -> bool:
    """Whether netx and Lava keep every weight of a layer's matrices, which netx shifts and truncates together."""
    low, high = min(int(m.min()) for m in matrices), max(int(m.max()) for m in matrices)
    if low == high == 0 or low < LOWEST or high > (HIGHEST if low >= 0 else HIGHEST - 1):
        return False
    mixed = low < 0 <= high
    shift = _digits_free(low, high, mixed)
    zeros = next(n for n in range(8, -1, -1) if n == 0 or not any(np.any(m % (1 << n)) for m in matrices))
    # netx's bits for the layer determine how many digits Lava truncates from each matrix; Lava finds the sign mode
    # itself
    return all(_kept(m << shift, shift + zeros - int(mixed)) for m in matrices)


def _digits_free(low: int, high: int, mixed: bool) -> int:
    """The number of digits by which netx shifts weights to the left."""
    if mixed:
        return math.floor(math.log2(min(127 / high if high else math.inf, -128 / low))) + 1
    return math.floor(math.log2(-256 / low if high < 0 else 255 / high))


def _kept(weights: Integers, cut: int) -> bool:
    """Whether Lava keeps weights of which it truncates `cut` digits, one more if they are of mixed sign."""
    mixed = bool(weights.min() < 0 < weights.max())
    return cut + int(mixed) >= 0 and (mixed or int(np.abs(weights).max()) <= HIGHEST)


def _full(
    part: DenseConnection | SparseConnection, values: NDArray[Any], shape: tuple[int, int]
) -> NDArray[Any]:  # fmt: skip
    """One number per pair of neurons, (target size, source size)."""
    if isinstance(part, DenseConnection):
        return values
    return np.asarray(csr_array((values, part.indices, part.indptr), shape=shape).toarray())


def _total(parts: Sequence[Connection], shape: tuple[int, int], context: str) -> Integers:
    """The sum of the parts in units of a, shaped as a kernel or as (target size, source size)."""
    if any(np.any(part.weights % (1 << max(0, -part.weight_exp))) for part in parts):
        raise InputError(f"{context}: has weights below 1, which a .net file cannot store; compile it again")
    stored = stored_weights(parts, shape)
    total = np.rint((stored.toarray() if isinstance(stored, csr_array) else np.asarray(stored)) / STATE_UNIT).astype(
        np.int64
    )
    low, high = int(total.min(initial=0)), int(total.max(initial=0))
    if low < LOWEST or high > HIGHEST:
        raise InputError(
            f"{context}: has weights of {low} to {high}, but a .net file holds {LOWEST} to {HIGHEST} and no exponent; "
            "export the .nir file, which is rounded for that"
        )
    integers: Integers = total.astype(np.int32)
    return integers
