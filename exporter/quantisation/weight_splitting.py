"""Split a synapse into connections of their own grid and exponent: small weights are not rounded like large ones.

A connection has one sign mode and one exponent. Several connections that add up store a synapse of mixed weights more
finely:

    by sign        an excitatory and an inhibitory part keep the lowest bit that mixed weights lose
    by magnitude   few large weights no longer set the step of the many small ones
    by digit       a doubled synapse: w = (high * 2**shift + low) * 2**(exponent - shift)

Parts by sign and magnitude share no weight: each synapse is stored and accessed once. Digits store it twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spikeport.exporter.float_network.float_network import FloatConnection, Floats
from spikeport.exporter.program.chip_program import Integers
from spikeport.hardware_profiles.fixed_point import STATE_UNIT, SignMode, WeightGrid, WordWidths, sign_mode, weight_grid

from .csr_kernels import on_grid, row_sums, select_entries

# halvings of the largest weight that are tried as the border between large and small ones
_BORDERS = range(1, 8)
# weights of the other sign up to this fraction of the largest are 32-bit rounding noise; two 8-bit digits also round
# them to 0
_NOISE = 1e-6
# a split must reduce the mean squared error by this factor: one bit
_ONE_BIT = 4.0


@dataclass(frozen=True)
class WeightMatrix:
    """Weights that share one grid and one exponent: an incoming connection, or a part of it.

    weights: compressed rows, (rows, ...), stored ones only; row i targets `repeat` neurons from i * repeat on. synapse:
    index of the connection among the population's incoming ones. payload: the largest |payload| that arrives, 1 for
    spikes; signed: whether it can be negative. shift: digits of a doubled synapse's low half, else 0.
    """

    weights: csr_array
    repeat: int
    synapse: int
    grid: WeightGrid
    mode: SignMode
    payload: int = 1
    signed: bool = False
    shift: int = 0
    divides: bool = False

    def lowest_exponent(self, widths: WordWidths) -> int:
        """The lowest exponent: a sum of spikes is not rounded down, as it has no digits to spare."""
        return widths.weight_exp_min if self.divides else 0

    @property
    def values(self) -> Floats:
        """The stored weights, (stored,)."""
        values: Floats = self.weights.data
        return values

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest weight, 0 included."""
        return float(self.values.min(initial=0)), float(self.values.max(initial=0))

    @property
    def largest(self) -> float:
        """The largest |weight|."""
        return max(-self.ends[0], self.ends[1])

    def digit_shift(self, exponent: int) -> int:
        """Digits between the two halves of a doubled synapse whose high half has that exponent."""
        return min(self.shift, max(exponent, 0))

    def rounded(self, scale: float, exponent: int, values: Floats | None = None) -> Integers:
        """The integers nearest to the stored weights (or to `values`), in units of 2**(exponent - spread)."""
        digit_shift = self.digit_shift(exponent)
        fine, grid = 1 << digit_shift, self.grid
        low, high = grid.low * fine, grid.high * fine
        if digit_shift and self.mode == "mixed":
            low, high = low - fine // 2 * grid.step, high + (fine // 2 - 1) * grid.step
        elif digit_shift:
            low, high = (v + int(np.sign(v)) * (fine - 1) * grid.step for v in (low, high))
        target = self.values if values is None else values
        factor = scale / (STATE_UNIT * 2.0 ** (exponent - digit_shift) * grid.step)
        integers: Integers = on_grid(target, factor, float(grid.step), float(low), float(high))
        return integers


@dataclass(frozen=True)
class WeightPart:
    """Integers of one connection: a target receives their sum * 2**exponent."""

    weights: csr_array
    exponent: int
    mode: SignMode
    synapse: int


def rows_of(connection: FloatConnection) -> csr_array:
    """A connection's weights as compressed rows: one row per target, or per output channel."""
    weights = connection.weights
    if isinstance(weights, csr_array):
        # values are changed in place, indices only where two weights share one or one is 0
        rows = csr_array((weights.data.astype(np.float64), weights.indices, weights.indptr), shape=weights.shape)
        if not rows.has_canonical_format:
            rows = rows.copy()
            rows.sum_duplicates()
    else:
        rows = csr_array(weights.reshape(len(weights), -1))
    return _without_zeros(rows)


def weight_matrix(
    rows: csr_array, repeat: int, synapse: int, bits: int, payload: int = 1, signed: bool = False
) -> WeightMatrix:
    """All weights of a connection on the grid of their sign mode."""
    mode = sign_mode(_without_noise(rows.data))
    return WeightMatrix(rows, repeat, synapse, weight_grid(mode, bits), mode, payload, signed)


def _without_noise(weights: Floats) -> Floats:
    """The weights, with 0 for those that are noise compared with the largest."""
    return np.where(np.abs(weights) > _NOISE * np.abs(weights).max(initial=0), weights, 0.0)


def by_sign(matrix: WeightMatrix, bits: int) -> list[WeightMatrix]:
    """The excitatory and the inhibitory part of a mixed matrix; others stay as they are."""
    if matrix.mode != "mixed":
        return [matrix]
    signs: tuple[tuple[SignMode, NDArray[np.bool_]], ...] = (
        ("excitatory", matrix.values > 0),
        ("inhibitory", matrix.values < 0),
    )
    return [
        replace(matrix, weights=_select(matrix.weights, selected), mode=mode, grid=weight_grid(mode, bits))
        for mode, selected in signs
    ]


def by_magnitude(matrix: WeightMatrix, exponent: int) -> list[WeightMatrix]:
    """Large and small weights in two matrices if that gains at least a bit overall; else the matrix unchanged.

    exponent: that of the large ones; the exponent of the small ones can be lower by that much.
    """
    size = np.abs(matrix.values)
    shares = [float(np.mean(size > matrix.largest / 2**k)) if size.size else 1.0 for k in _BORDERS]
    # steps halve k times for the small ones, so their squared error falls by 4**k
    costs = [
        share + (1 - share) / 4.0**k if k <= exponent else np.inf for k, share in zip(_BORDERS, shares, strict=True)
    ]
    best = int(np.argmin(costs))
    if costs[best] * _ONE_BIT > 1:
        return [matrix]
    large = size > matrix.largest / 2 ** _BORDERS[best]
    return [replace(matrix, weights=_select(matrix.weights, selected)) for selected in (large, ~large)]


def by_exact_size(matrix: WeightMatrix, scale: float, widths: WordWidths) -> list[WeightMatrix]:
    """Weights by size in as few matrices as make all of them integers at the scale; else the matrix unchanged."""
    exponent = smallest_exponent(matrix, scale, widths)
    if _is_exact(matrix, scale, exponent):
        return [matrix]
    size, end = np.abs(matrix.values), max(matrix.grid.high, -matrix.grid.low)
    for small in reversed(range(exponent)):
        large = size > end * (STATE_UNIT * 2.0**small / scale) * (1 + _NOISE)
        parts = [replace(matrix, weights=_select(matrix.weights, selected)) for selected in (large, ~large)]
        if all(_is_exact(part, scale, smallest_exponent(part, scale, widths)) for part in parts):
            return parts
    return _by_exponents(matrix, scale, widths) or [matrix]


def _by_exponents(matrix: WeightMatrix, scale: float, widths: WordWidths) -> list[WeightMatrix]:
    """The fewest matrices in which all weights are integers at the scale; none if there are no such ones.

    A weight is one at every exponent from that at which it fits to that of its last binary digit: intervals, each of
    which holds one of the exponents that are used.
    """
    unit, size = STATE_UNIT * matrix.grid.step / scale, np.abs(matrix.values)
    whole = np.rint(size / unit).astype(np.int64)
    if np.any(whole < 1) or np.any(np.abs(whole * unit - size) > _NOISE * size.max(initial=0)):
        return []
    end = max(matrix.grid.high, -matrix.grid.low) // matrix.grid.step
    last = np.log2(whole & -whole).astype(np.int64)
    fits = np.ceil(np.log2(np.maximum(whole / end, 1.0))).astype(np.int64)
    if np.any(fits > last) or fits.max(initial=0) > widths.weight_exp_max:
        return []
    parts, left = [], np.ones(len(whole), bool)
    while np.any(left):
        selected = left & (fits <= last[left].min())
        parts.append(replace(matrix, weights=_select(matrix.weights, selected)))
        left &= ~selected
    return parts


def _is_exact(matrix: WeightMatrix, scale: float, exponent: int) -> bool:
    unit = STATE_UNIT * 2.0**exponent / scale
    error = np.abs(matrix.rounded(scale, exponent) * unit - matrix.values)
    return bool(error.max(initial=0) <= _NOISE * np.abs(matrix.values).max(initial=0))


def with_low_digits(matrix: WeightMatrix, bits: int) -> WeightMatrix:
    """The same weights with a second half of digits."""
    return replace(matrix, shift=bits)


def to_parts(matrix: WeightMatrix, integers: Integers, exponent: int) -> list[WeightPart]:
    """The connections that store rounded weights: one, or the two halves of doubled synapses; zeros are not stored."""
    digit_shift = matrix.digit_shift(exponent)
    rows = csr_array((integers, matrix.weights.indices, matrix.weights.indptr), shape=matrix.weights.shape)
    if not digit_shift:
        return [_part(matrix, rows, exponent)]
    connections = []
    halves = _halves(integers // matrix.grid.step, matrix.mode, digit_shift)
    for values, unit in zip(halves, (exponent, exponent - digit_shift), strict=True):
        half = csr_array(((values * matrix.grid.step).astype(np.int32), rows.indices, rows.indptr), shape=rows.shape)
        if np.any(values):
            connections.append(_part(matrix, half, unit))
    return connections or [_part(matrix, rows, exponent)]


def _halves(levels: Integers, mode: SignMode, digit_shift: int) -> tuple[Integers, Integers]:
    """High and low digits, levels = high * 2**digit_shift + low: of the level's sign; of any sign if mixed."""
    if mode == "mixed":
        high = (levels + (1 << (digit_shift - 1))) >> digit_shift
        return high, levels - (high << digit_shift)
    sign, size = np.sign(levels), np.abs(levels)
    return sign * (size >> digit_shift), sign * (size & ((1 << digit_shift) - 1))


def sum_of_parts(parts_of_synapse: Sequence[WeightPart], shape: tuple[int, int]) -> csr_array:
    """The sum of the parts of one synapse, in units of a."""
    summed = csr_array(shape, dtype=np.float64)
    for part in parts_of_synapse:
        summed = summed + part.weights * 2.0**part.exponent
    return summed


def positive_and_negative(weights: csr_array, values: NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Sums of the positive and of the |negative| values in each row; one value per stored weight."""
    signed, absolute = row_sums(values, weights.indptr)
    return (absolute + signed) / 2, (absolute - signed) / 2


def smallest_exponent(matrix: WeightMatrix, scale: float, widths: WordWidths) -> int:
    """The smallest exponent at which the largest weight fits."""
    ends = (-matrix.ends[0], -matrix.grid.low), (matrix.ends[1], matrix.grid.high)
    needed = max(
        (scale * largest / (STATE_UNIT * (end + matrix.grid.step / 2)) for largest, end in ends if largest > 0),
        default=0.0,
    )
    if not needed:
        return 0
    return int(np.clip(np.ceil(np.log2(needed) - 1e-9), matrix.lowest_exponent(widths), widths.weight_exp_max))


def _part(matrix: WeightMatrix, rows: csr_array, exponent: int) -> WeightPart:
    return WeightPart(_without_zeros(rows), exponent, matrix.mode, matrix.synapse)


def _without_zeros(rows: csr_array) -> csr_array:
    """The same rows with no zeros stored; new ones where there are any."""
    return rows if np.all(rows.data) else _select(rows, rows.data != 0)


def _select(rows: csr_array, selected: NDArray[np.bool_]) -> csr_array:
    """Compressed rows with the selected stored weights only."""
    return csr_array(select_entries(rows.data, rows.indices, rows.indptr, selected), shape=rows.shape)
