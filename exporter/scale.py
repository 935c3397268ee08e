"""The scale of one population: weights that lie on a grid are found again, and no input can make u wrap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hardware_profiles.fixed_point import (
    STATE_UNIT,
    ConnectionRange,
    PopulationScale,
    WeightGrid,
    WordWidths,
    at_threshold,
    choose_scale,
    largest_input,
    lowest_voltage,
    quantise_weights,
    sign_mode,
    weight_grid,
)

from .float_network import FloatPopulation, Floats
from .program import Integers

# thresholds tried below the first choice
_NEAR = 64
_SAMPLE = 1 << 14
# squared relative error of numbers that were kept in 32 bit
_NOISE = 1e-14


@dataclass(frozen=True)
class WeightMatrix:
    """One incoming connection: weights (rows, ...), where row i reaches `repeat` neurons from i * repeat on."""

    weights: Floats
    repeat: int


class ScaleSearch:
    """Finds a population's scale and integer weights; the decays are fractions, rounded to the chip's words."""

    def __init__(
        self,
        population: FloatPopulation,
        incoming: Sequence[WeightMatrix],
        current_decay: Floats,
        voltage_decay: Floats,
        widths: WordWidths,
        weight_bits: int,
    ) -> None:
        self._population, self._incoming, self._widths = population, incoming, widths
        self._current_decay, self._voltage_decay = current_decay, voltage_decay
        self._threshold = float(population.threshold.max())
        grids = [weight_grid(sign_mode(m.weights), weight_bits) for m in incoming]
        self._ranges = [ConnectionRange(_extreme(m.weights, g), g) for m, g in zip(incoming, grids, strict=True)]
        self._samples = [m.weights.reshape(-1)[:: max(1, m.weights.size // _SAMPLE)] for m in incoming]

    def find(self) -> tuple[PopulationScale, list[Integers]]:
        """The scale at which least is lost, and the weights at it; u cannot leave its register."""
        current = self._bound([m.weights for m in self._incoming])
        bias = self._population.bias
        voltage = lowest_voltage(current, bias, self._voltage_decay)
        most = [float(np.abs(values).max(initial=0)) for values in (current, bias, voltage)]
        first = choose_scale(self._ranges, self._threshold, most[0], most[1], self._widths, most[2])
        tried = [self._at(t) for t in self._thresholds(first, self._largest_scale(*most))]
        for scale in sorted(tried, key=self._loss):
            integers = self._integers(scale)
            if self.current_bound(integers, scale) <= self._widths.state_max:
                return scale, integers
        return self._shrunk(first)

    def current_bound(self, integers: Sequence[Integers], scale: PopulationScale) -> float:
        """The largest |u| any input can cause, in the chip's units: every synapse of one sign active in every step."""
        weights = [q * (STATE_UNIT * 2.0**e) for q, e in zip(integers, scale.weight_exps, strict=True)]
        return float(self._bound(weights).max(initial=0))

    def _largest_scale(self, current: float, bias: float, voltage: float) -> float:
        """The bound within which choose_scale chooses, without its rounding to a full grid."""
        limit = STATE_UNIT * self._widths.vth_max / self._threshold
        limit = min(limit, self._widths.state_max / current if current else limit)
        limit = min(limit, self._widths.bias_max / bias if bias else limit)
        full = min((_full(r) for r in self._ranges if r.max_weight > 0), default=limit)
        room = max(self._widths.state_max / voltage, full) if voltage > 0 else limit
        return min(limit, room, full * 2.0**self._widths.weight_exp_max)

    def _thresholds(self, first: PopulationScale, limit: float) -> list[int]:
        """Integer thresholds near the first choice, and those at which a largest weight is a whole grid step."""
        found = set(range(max(1, first.vth - _NEAR), first.vth + 1))
        highest = max(first.vth, math.floor(limit * self._threshold / STATE_UNIT * (1 + 1e-6)))
        for sample, connection in zip(self._samples, self._ranges, strict=True):
            largest = float(np.abs(sample).max(initial=0))
            if largest > 0:
                grid = connection.grid
                points = np.arange(grid.step, max(grid.high, -grid.low) + 1, grid.step)
                scale = STATE_UNIT * points / largest
                # twice the scale is the same integers at the next exponent: the largest that fits is the finest
                scale = scale * np.exp2(np.maximum(np.floor(np.log2(limit * (1 + 1e-6) / scale)), 0))
                found |= {round(t) for t in scale * self._threshold / STATE_UNIT}
        return sorted((t for t in found if 1 <= t <= highest), reverse=True)

    def _at(self, threshold: int) -> PopulationScale:
        return at_threshold(threshold, self._ranges, self._threshold, self._widths)

    def _integers(self, scale: PopulationScale) -> list[Integers]:
        return self._rounded([m.weights for m in self._incoming], scale)

    def _rounded(self, weights: Sequence[Floats], scale: PopulationScale) -> list[Integers]:
        return [
            quantise_weights(w, r.grid, scale.scale, e)
            for w, r, e in zip(weights, self._ranges, scale.weight_exps, strict=True)
        ]

    def _loss(self, scale: PopulationScale) -> float:
        """Squared error of weights, thresholds and biases; exact numbers kept in 32 bit count as lost in nothing."""
        wanted = [*self._samples, self._population.threshold, self._population.bias]
        units = [STATE_UNIT * 2.0**e / scale.scale for e in scale.weight_exps]
        actual = [q * unit for q, unit in zip(self._rounded(self._samples, scale), units, strict=True)]
        actual += [
            np.rint(self._population.threshold * scale.scale / STATE_UNIT) * (STATE_UNIT / scale.scale),
            np.rint(self._population.bias * scale.scale) / scale.scale,
        ]
        squares = sum(float(np.square(w).sum()) for w in self._samples)
        error = sum(float(np.square(a - w).sum()) for a, w in zip(actual, wanted, strict=True))
        return max(error, _NOISE * squares)

    def _bound(self, weights: Sequence[Floats]) -> Floats:
        bound = np.zeros(self._population.size)
        for w, matrix in zip(weights, self._incoming, strict=True):
            bound += np.repeat(largest_input(w), matrix.repeat)
        result: Floats = bound / self._current_decay
        return result

    def _shrunk(self, scale: PopulationScale) -> tuple[PopulationScale, list[Integers]]:
        """A smaller scale at which rounding up takes u no further than its register; below 1 the threshold stays 1."""
        while True:
            integers = self._integers(scale)
            bound = self.current_bound(integers, scale)
            if bound <= self._widths.state_max:
                return scale, integers
            smaller = scale.scale * min(0.999, self._widths.state_max / bound)
            threshold = math.floor(smaller * self._threshold / STATE_UNIT)
            exact = at_threshold(1, self._ranges, STATE_UNIT / smaller, self._widths)
            scale = self._at(threshold) if threshold >= 1 else exact


def _full(connection: ConnectionRange) -> float:
    """The scale at which the largest weight fills its grid at exponent 0."""
    return STATE_UNIT * (connection.grid.high or -connection.grid.low) / connection.max_weight


def _extreme(weights: Floats, grid: WeightGrid) -> float:
    """The largest weight as a share of the grid's high end: a mixed grid reaches further down than up."""
    if not grid.high:
        return float(-weights.min(initial=0))
    down = -weights.min(initial=0) * grid.high / -grid.low if grid.low else 0.0
    return max(float(weights.max(initial=0)), float(down))
