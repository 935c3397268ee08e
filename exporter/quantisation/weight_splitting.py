"""Parts of a synapse: weights that share a grid and an exponent, so that small ones are not rounded like large ones.

A connection has one sign mode and one exponent. A synapse of mixed weights is held more finely by several connections
that add up:

    by sign        an excitatory and an inhibitory part keep the lowest bit that mixed weights lose
    by magnitude   few large weights no longer set the step of the many small ones
    by digit       a doubled synapse: w = (high * 2**shift + low) * 2**(exponent - shift)

Parts by sign and magnitude share no weight: each synapse is stored and accessed once. Parts by digit store it twice.
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

from .csr_kernels import chosen_rows, on_grid, row_sums

# halvings of the largest weight that are tried as the border between large and small ones
_BORDERS = range(1, 8)
# weights of the other sign up to this part of the largest are noise of numbers kept in 32 bit; two digits of 8 bit
# round them to 0, too
_NOISE = 1e-6
# a split must take this much off the mean squared error: one bit
_ONE_BIT = 4.0


@dataclass(frozen=True)
class WeightMatrix:
    """Weights that share one grid and one exponent: an incoming connection, or a part of it.

    weights: compressed rows, (rows, ...), stored ones only; row i reaches `repeat` neurons from i * repeat on.
    synapse: index of the connection among the population's incoming ones. payload: the largest |payload| that arrives,
    1 for spikes; signed: it can be negative, too. shift: digits of a doubled synapse's low half
    at most, 0 for one that is not doubled.
    """

    weights: csr_array
    repeat: int
    synapse: int
    grid: WeightGrid
    mode: SignMode
    payload: int = 1
    signed: bool = False
    shift: int = 0

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

    def spread(self, exponent: int) -> int:
        """Digits between the two halves of a doubled synapse whose high half has that exponent."""
        return min(self.shift, max(exponent, 0))

    def rounded(self, scale: float, exponent: int, values: Floats | None = None) -> Integers:
        """The integers nearest to the stored weights (or to `values`), in units of 2**(exponent - spread)."""
        spread = self.spread(exponent)
        fine, grid = 1 << spread, self.grid
        low, high = grid.low * fine, grid.high * fine
        if spread and self.mode == "mixed":
            low, high = low - fine // 2 * grid.step, high + (fine // 2 - 1) * grid.step
        elif spread:
            low, high = (v + int(np.sign(v)) * (fine - 1) * grid.step for v in (low, high))
        wanted = self.values if values is None else values
        factor = scale / (STATE_UNIT * 2.0 ** (exponent - spread) * grid.step)
        integers: Integers = on_grid(wanted, factor, float(grid.step), float(low), float(high))
        return integers


@dataclass(frozen=True)
class Part:
    """Integers of one connection: what arrives is their sum * 2**exponent."""

    weights: csr_array
    exponent: int
    mode: SignMode
    synapse: int


def rows_of(connection: FloatConnection) -> csr_array:
    """A connection's weights as compressed rows: a target, or an output channel, a row."""
    weights = connection.weights
    if isinstance(weights, csr_array):
        # values are changed in place, places only where two weights share one or one is 0
        rows = csr_array((weights.data.astype(np.float64), weights.indices, weights.indptr), shape=weights.shape)
        if not rows.has_canonical_format:
            rows = rows.copy()
            rows.sum_duplicates()
    else:
        rows = csr_array(weights.reshape(len(weights), -1))
    return _without_zeros(rows)


def whole(
    rows: csr_array, repeat: int, synapse: int, bits: int, payload: int = 1, signed: bool = False
) -> WeightMatrix:
    """All weights of a connection on the grid of their sign mode."""
    mode = sign_mode(_without_noise(rows.data))
    return WeightMatrix(rows, repeat, synapse, weight_grid(mode, bits), mode, payload, signed)


def _without_noise(weights: Floats) -> Floats:
    """The weights with 0 where one is nothing beside the largest."""
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
        replace(matrix, weights=_chosen(matrix.weights, chosen), mode=mode, grid=weight_grid(mode, bits))
        for mode, chosen in signs
    ]


def by_magnitude(matrix: WeightMatrix, exponent: int) -> list[WeightMatrix]:
    """Large and small weights apart, where the step of the small ones gains a bit on the whole; else as it is.

    exponent: what the large ones have: the small ones' can be lower by that much.
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
    return [replace(matrix, weights=_chosen(matrix.weights, chosen)) for chosen in (large, ~large)]


def doubled(matrix: WeightMatrix, bits: int) -> WeightMatrix:
    """The same weights with a second half of digits."""
    return replace(matrix, shift=bits)


def parts(matrix: WeightMatrix, integers: Integers, exponent: int) -> list[Part]:
    """The connections that hold rounded weights: one, or the two halves of doubled synapses; zeros are not stored."""
    spread = matrix.spread(exponent)
    rows = csr_array((integers, matrix.weights.indices, matrix.weights.indptr), shape=matrix.weights.shape)
    if not spread:
        return [_part(matrix, rows, exponent)]
    found = []
    halves = _halves(integers // matrix.grid.step, matrix.mode, spread)
    for values, unit in zip(halves, (exponent, exponent - spread), strict=True):
        half = csr_array(((values * matrix.grid.step).astype(np.int32), rows.indices, rows.indptr), shape=rows.shape)
        if np.any(values):
            found.append(_part(matrix, half, unit))
    return found or [_part(matrix, rows, exponent)]


def _halves(levels: Integers, mode: SignMode, spread: int) -> tuple[Integers, Integers]:
    """High and low digits, levels = high * 2**spread + low: of the sign of the level, or of either in a mixed grid."""
    if mode == "mixed":
        high = (levels + (1 << (spread - 1))) >> spread
        return high, levels - (high << spread)
    sign, size = np.sign(levels), np.abs(levels)
    return sign * (size >> spread), sign * (size & ((1 << spread) - 1))


def total(parts_of_synapse: Sequence[Part], shape: tuple[int, int]) -> csr_array:
    """What the parts of one synapse add up to, in units of a."""
    summed = csr_array(shape, dtype=np.float64)
    for part in parts_of_synapse:
        summed = summed + part.weights * 2.0**part.exponent
    return summed


def positive_and_negative(weights: csr_array, values: NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Sums of the positive and of the |negative| values in each row; values stand where the weights are stored."""
    signed, absolute = row_sums(values, weights.indptr)
    return (absolute + signed) / 2, (absolute - signed) / 2


def smallest_exponent(matrix: WeightMatrix, scale: float, widths: WordWidths) -> int:
    """The smallest exponent (not negative: a right shift would floor the sum) at which the largest weight fits."""
    ends = (-matrix.ends[0], -matrix.grid.low), (matrix.ends[1], matrix.grid.high)
    wanted = max(
        (scale * most / (STATE_UNIT * (end + matrix.grid.step / 2)) for most, end in ends if most > 0), default=0.0
    )
    if not wanted:
        return 0
    return int(np.clip(np.ceil(np.log2(wanted) - 1e-9), 0, widths.weight_exp_max))


def _part(matrix: WeightMatrix, rows: csr_array, exponent: int) -> Part:
    return Part(_without_zeros(rows), exponent, matrix.mode, matrix.synapse)


def _without_zeros(rows: csr_array) -> csr_array:
    """The same rows with no zeros stored; new ones where there are any."""
    return rows if np.all(rows.data) else _chosen(rows, rows.data != 0)


def _chosen(rows: csr_array, chosen: NDArray[np.bool_]) -> csr_array:
    """Compressed rows with the chosen stored weights only."""
    return csr_array(chosen_rows(rows.data, rows.indices, rows.indptr, chosen), shape=rows.shape)
