"""The connections between two layers -> the one array of whole numbers that a .net file has for them, and their delays.

netx shifts and cuts weights of dense layers before it hands them to Lava (lava-dl 0.6.0, lava/lib/dl/netx/utils.py,
optimize_weight_bits; lava-nc 0.10.0, lava/utils/weightutils.py, truncate_weights). `survives` says which it keeps.
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
# netx cuts off what waits longer
LONGEST_DELAY = 62
# a matrix beyond this many elements is no layer that anything will load
_LARGEST = 1 << 28


@dataclass(frozen=True)
class Matrix:
    """Weights (target size, source size) and the steps that each waits beyond the first, None where none does."""

    weights: Integers
    delays: Integers | None


def kernel_of(parts: Sequence[Connection], where: str) -> tuple[Integers, ConvConnection] | None:
    """The kernel that convolutions of one shape add up to, and one of them; None where they are no convolutions."""
    convolutions = [part for part in parts if isinstance(part, ConvConnection)]
    if len(convolutions) < len(parts):
        return None
    first = convolutions[0]
    if any((geometry_of(c), c.weights.shape) != (geometry_of(first), first.weights.shape) for c in convolutions):
        raise InputError(f"{where}: is reached by convolutions of two shapes, but a .net layer has one; join them")
    if any(part.longest_delay > 1 for part in convolutions):
        raise InputError(f"{where}: has a convolution with a delay, which netx leaves out; use a dense layer there")
    return _total(convolutions, (0, 0), where), first


def matrix_of(parts: Sequence[Connection], shape: tuple[int, int], where: str) -> Matrix:
    """The matrix and the delays that dense and sparse connections add up to; raises InputError."""
    if shape[0] * shape[1] > _LARGEST:
        raise InputError(
            f"{where}: is a matrix of {shape[0]} x {shape[1]}, and a .net file has no sparse one; "
            "use a convolution, or stay with NIR"
        )
    if not parts:
        return Matrix(np.zeros(shape, np.int32), None)
    delays, taken = np.zeros(shape, np.int32), np.zeros(shape, np.bool_)
    for part in parts:
        if not isinstance(part, DenseConnection | SparseConnection):
            raise InputError(f"{where}: is reached by a convolution and a matrix, but a .net layer has one synapse")
        held, waits = _full(part, part.weights, shape) != 0, part.delay - 1 + delays_per_weight(part)
        waiting = _full(part, waits, shape).astype(np.int32)
        if np.any(taken & held & (waiting != delays)):
            raise InputError(f"{where}: has two synapses of different delay between two neurons; leave one out")
        delays = np.where(held | ~taken, waiting, delays)
        taken |= held
    if delays.max(initial=0) > LONGEST_DELAY:
        raise InputError(
            f"{where}: waits {delays.max()} steps, but a .net file's delays end at {LONGEST_DELAY}; shorten them"
        )
    return Matrix(_total(parts, shape, where), delays if np.any(delays[taken]) else None)


def survives(matrices: Sequence[Integers]) -> bool:
    """Whether netx and Lava keep every weight of a layer's matrices, which netx shifts and cuts together."""
    low, high = min(int(m.min()) for m in matrices), max(int(m.max()) for m in matrices)
    if low == high == 0 or low < LOWEST or high > (HIGHEST if low >= 0 else HIGHEST - 1):
        return False
    mixed = low < 0 <= high
    shift = _digits_free(low, high, mixed)
    zeros = next(n for n in range(8, -1, -1) if n == 0 or not any(np.any(m % (1 << n)) for m in matrices))
    # what netx calls the layer's bits decides how many digits Lava cuts off each matrix, whose sign it finds by itself
    return all(_kept(m << shift, shift + zeros - int(mixed)) for m in matrices)


def _digits_free(low: int, high: int, mixed: bool) -> int:
    """By how many digits netx shifts weights to the left."""
    if mixed:
        return math.floor(math.log2(min(127 / high if high else math.inf, -128 / low))) + 1
    return math.floor(math.log2(-256 / low if high < 0 else 255 / high))


def _kept(weights: Integers, cut: int) -> bool:
    """Whether Lava keeps weights of which it cuts `cut` digits, one more where they are of mixed sign."""
    mixed = bool(weights.min() < 0 < weights.max())
    return cut + int(mixed) >= 0 and (mixed or int(np.abs(weights).max()) <= HIGHEST)


def _full(
    part: DenseConnection | SparseConnection, values: NDArray[Any], shape: tuple[int, int]
) -> NDArray[Any]:  # fmt: skip
    """One number a pair of neurons, (target size, source size)."""
    if isinstance(part, DenseConnection):
        return values
    return np.asarray(csr_array((values, part.indices, part.indptr), shape=shape).toarray())


def _total(parts: Sequence[Connection], shape: tuple[int, int], where: str) -> Integers:
    """What the parts add up to in units of a, shaped as a kernel or as (target size, source size)."""
    if any(np.any(part.weights % (1 << max(0, -part.weight_exp))) for part in parts):
        raise InputError(f"{where}: has weights below 1, which a .net file cannot say; compile it again")
    held = stored_weights(parts, shape)
    total = np.rint((held.toarray() if isinstance(held, csr_array) else np.asarray(held)) / STATE_UNIT).astype(np.int64)
    low, high = int(total.min(initial=0)), int(total.max(initial=0))
    if low < LOWEST or high > HIGHEST:
        raise InputError(
            f"{where}: has weights of {low} to {high}, but a .net file holds {LOWEST} to {HIGHEST} and no exponent; "
            "export the .nir file, which is rounded for that"
        )
    whole: Integers = total.astype(np.int32)
    return whole
