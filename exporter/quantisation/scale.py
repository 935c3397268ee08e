"""The scale of one population: weights that were on a grid stay on it, and no input can make u wrap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spikeport.exporter.float_network.float_network import FloatPopulation, Floats
from spikeport.exporter.program.chip_program import Integers
from spikeport.hardware_profiles.fixed_point import STATE_UNIT, WordWidths

from .state_bounds import Decays, StateBounds, currents
from .weight_splitting import WeightMatrix, smallest_exponent

# number of thresholds tried just below the highest, and over the octave below it
_NEAR = 64
_OCTAVE = 64
_SAMPLE = 1 << 13
# the least room of v below 0, in thresholds; and the lasting inhibition, in thresholds per step, that v must have room
# for if its worst case is larger
_DEPTH, _INHIBITION = 128.0, 8.0
# squared relative error of numbers stored in 32 bit, and their relative error
_NOISE = 1e-14
_FLOAT32_ERROR = 1e-6
# a number this small, in units of the register, stands for 0 (trainable/write_graph.py)
_NOTHING = 1e-9


@dataclass(frozen=True)
class Rounded:
    """A population's weights at one scale: the reference threshold, an exponent and integers for each matrix.

    loss: mean squared error over all weights, thresholds and biases, as a fraction of the mean square of the weights.
    """

    scale: float
    vth: int
    exponents: tuple[int, ...]
    integers: tuple[Integers, ...]
    loss: float


class ScaleSearch:
    """Find a population's scale and integer weights; the decays are fractions, rounded to the chip's words."""

    def __init__(
        self,
        population: FloatPopulation,
        matrices: Sequence[WeightMatrix],
        decays: Decays,
        reach: StateBounds,
        widths: WordWidths,
    ) -> None:
        self._population, self._matrices, self._widths = population, matrices, widths
        self._decays, self._reach = decays, reach
        self._threshold = reference_threshold(population, reach)
        self._samples = [np.ascontiguousarray(m.values[:: max(1, m.values.size // _SAMPLE)]) for m in matrices]
        self._shares = [m.values.size / max(1, s.size) for m, s in zip(matrices, self._samples, strict=True)]
        self._thresholds_that_differ, self._biases_that_differ = map(
            _different, (population.threshold, population.bias)
        )
        squares = sum(float(np.square(m.values).sum()) for m in matrices)
        self._squares = squares or 1.0

    def find(self, largest: float = math.inf) -> Rounded:
        """The scale, at most `largest`, with the lowest loss, and the weights at it; u cannot leave its register.

        A scale chosen in training wins if every number is an integer at it, whatever `largest` is.
        """
        trained = self.trained()
        if trained is not None:
            return trained
        limit = min(largest, self.limit())
        losses = sorted((self._loss(t), -t) for t in self._thresholds(limit))
        for loss, negative in losses:
            rounded = self._rounded(STATE_UNIT * -negative / self._threshold, -negative, loss)
            if self.current_bound(rounded) <= self._widths.state_max:
                return rounded
        return self._shrunk(limit)

    def limit(self) -> float:
        """The largest scale at which nothing can leave its register.

        Exponents above 0 only refine v, so v always has room. At exponent 0 weights keep their bits, and v may saturate
        far from its threshold:

        - far below its threshold, where it leaks (_voltage_room);
        - on either side, where synapses are doubled (_room_for_digits).
        """
        widths, reach = self._widths, self._reach
        limit = STATE_UNIT * widths.vth_max / self._threshold
        if reach.current > 0:
            limit = min(limit, (widths.state_max - STATE_UNIT) / reach.current)
        bias = float(np.abs(self._population.bias).max(initial=0))
        if bias > 0:
            limit = min(limit, widths.bias_max / bias)
        full = self.full()
        voltage = max(reach.lowest, reach.highest)
        if self._population.sends == "voltage" and voltage > 0:
            limit = min(limit, widths.state_max / voltage)
        elif voltage > 0:
            limit = min(limit, max(self._voltage_room(), full, self._room_for_digits()))
        return min(limit, full * 2.0**widths.weight_exp_max)

    def _voltage_room(self) -> float:
        """The largest scale at which v has room for its worst case or, if it leaks, far enough below 0.

        Every inhibitory synapse active in every step is far beyond what happens; room for it would cost bits near the
        threshold.
        """
        state_max, lowest, population = self._widths.state_max, self._reach.lowest, self._population
        if not self._reach.measured and np.all(self._decays.voltage > 0):
            depths = np.maximum(_DEPTH, _INHIBITION / self._decays.voltage) * population.threshold
            resting = np.maximum(-population.bias / self._decays.voltage, -population.v_initial)
            lowest = min(lowest, float(np.maximum(depths, resting).max(initial=0)))
        return state_max / max(lowest, self._reach.highest)

    def _room_for_digits(self) -> float:
        """The scale at which v saturates `_DEPTH` thresholds from 0: low digits of doubled synapses may go so far.

        They are below the grid's unit and would have no room if v does not leak, as v is then unbounded.
        """
        if not any(m.shift for m in self._matrices):
            return 0.0
        return self._widths.state_max / (_DEPTH * float(self._population.threshold.max()))

    def full(self) -> float:
        """The scale at which the largest weight of all fills its grid at exponent 0."""
        ends = [STATE_UNIT * max(m.grid.high, -m.grid.low) / m.largest for m in self._matrices if m.largest > 0]
        return min(ends, default=math.inf)

    def current_bound(self, rounded: Rounded) -> float:
        """The largest |u| in the chip's units: as measured, or as the rounded weights can cause."""
        if self._reach.measured:
            return self._reach.current * rounded.scale
        units = [
            q * (STATE_UNIT * 2.0 ** (e - m.digit_shift(e)))
            for m, q, e in zip(self._matrices, rounded.integers, rounded.exponents, strict=True)
        ]
        up, down = currents(self._matrices, units, self._decays)
        return float(np.maximum(up, down).max(initial=0))

    def errors(self, rounded: Rounded) -> list[float]:
        """Mean squared error of each matrix' weights, as a fraction of their mean square (large ones are sampled)."""
        relative_errors = []
        for m, e, sample in zip(self._matrices, rounded.exponents, self._samples, strict=True):
            unit = STATE_UNIT * 2.0 ** (e - m.digit_shift(e)) / rounded.scale
            error = float(np.square(m.rounded(rounded.scale, e, sample) * unit - sample).sum())
            relative_errors.append(error / (float(np.square(sample).sum()) or 1.0))
        return relative_errors

    def _thresholds(self, limit: float) -> list[int]:
        """Integer thresholds below the limit, and those at which a matrix' largest weight is on its grid."""
        # allow for the error of 32-bit numbers; its effect is checked on the integers
        highest = max(1, math.floor(limit * self._threshold / STATE_UNIT * (1 + _FLOAT32_ERROR)))
        highest = min(highest, self._widths.vth_max)
        full = self.full()
        filled = highest
        lowest = min((m.lowest_exponent(self._widths) for m in self._matrices), default=0)
        if full * 2.0**lowest < limit and math.isfinite(full):
            # at which the largest weight fills its grid
            filling = full * 2.0 ** math.floor(math.log2(limit / full) + _FLOAT32_ERROR)
            filled = min(highest, math.floor(filling * self._threshold / STATE_UNIT * (1 + _FLOAT32_ERROR)))
        thresholds = {t for top in (highest, filled) for t in range(max(1, top - _NEAR), top + 1)}
        thresholds |= {round(highest * 2.0 ** -(i / _OCTAVE)) for i in range(_OCTAVE)}
        for matrix in self._matrices:
            largest = matrix.largest
            if largest > 0:
                grid = matrix.grid
                points = np.arange(grid.step, max(grid.high, -grid.low) + 1, grid.step)
                scale = STATE_UNIT * points / largest
                # doubling the scale gives the same integers at the next exponent: the largest that fits is the finest
                scale = scale * np.exp2(np.maximum(np.floor(np.log2(limit * (1 + _FLOAT32_ERROR) / scale)), lowest))
                thresholds |= {round(t) for t in scale * self._threshold / STATE_UNIT}
        return [t for t in thresholds if 1 <= t <= highest]

    def trained(self) -> Rounded | None:
        """The scale used in training, if every number is an integer at it (to 32 bit) and u has room."""
        population, scale = self._population, trained_scale(self._population)
        if scale is None:
            return None
        word = max(1, round(scale * self._threshold / STATE_UNIT))
        if population.sends == "spikes" and word > self._widths.vth_max:
            return None
        rounded = self._rounded(scale, word, self._loss(word))
        unit = STATE_UNIT / scale
        numbers = [
            (m.values, q * (2.0 ** (e - m.digit_shift(e)) * unit))
            for m, q, e in zip(self._matrices, rounded.integers, rounded.exponents, strict=True)
        ]
        numbers.append((population.bias, np.rint(population.bias * scale) / scale))
        if population.sends == "spikes":
            numbers.append((population.threshold, np.rint(population.threshold / unit) * unit))
        whole = all(
            np.abs(w - f).max(initial=0) <= max(_FLOAT32_ERROR * np.abs(w).max(initial=0), _NOTHING * unit)
            for w, f in numbers
        )
        if not whole or self.current_bound(rounded) > self._widths.state_max:
            return None
        # at this scale, that of the loss may be a rounded one
        return rounded if population.sends == "spikes" else replace(rounded, loss=_NOISE)

    def _rounded(self, scale: float, vth: int, loss: float) -> Rounded:
        exponents = self._exponents(scale)
        integers = tuple(m.rounded(scale, e) for m, e in zip(self._matrices, exponents, strict=True))
        return Rounded(scale, vth, exponents, integers, loss)

    def _exponents(self, scale: float) -> tuple[int, ...]:
        return tuple(smallest_exponent(m, scale, self._widths) for m in self._matrices)

    def _loss(self, vth: int) -> float:
        """Squared error of weights, thresholds and biases; 32-bit rounding of exact numbers does not count."""
        scale = STATE_UNIT * vth / self._threshold
        error = 0.0
        for m, e, sample, share in zip(
            self._matrices, self._exponents(scale), self._samples, self._shares, strict=True
        ):
            unit = STATE_UNIT * 2.0 ** (e - m.digit_shift(e)) / scale
            error += share * float(np.square(m.rounded(scale, e, sample) * unit - sample).sum())
        if self._population.sends == "spikes":
            threshold, indices = self._thresholds_that_differ
            squares = np.square(np.rint(threshold * scale / STATE_UNIT) * (STATE_UNIT / scale) - threshold)
            error += float(squares[indices].sum())
        bias, indices = self._biases_that_differ
        error += float(np.square(np.rint(bias * scale) / scale - bias)[indices].sum())
        return max(error / self._squares, _NOISE)

    def _shrunk(self, scale: float) -> Rounded:
        """A smaller scale at which u stays in its register even after rounding up; a threshold below 1 becomes 1."""
        while True:
            vth = max(1, math.floor(scale * self._threshold / STATE_UNIT))
            exact = STATE_UNIT * vth / self._threshold
            rounded = self._rounded(min(scale, exact), vth, self._loss(vth))
            bound = self.current_bound(rounded)
            if bound <= self._widths.state_max:
                return rounded
            scale = rounded.scale * min(0.999, self._widths.state_max / bound)


def _different(values: Floats) -> tuple[Floats, Any]:
    """The distinct values and each neuron's index among them, so that shared values are computed once."""
    if values.size and np.all(values == values[0]):
        return values[:1], np.broadcast_to(0, values.shape)
    distinct, indices = np.unique(values, return_inverse=True)
    return (distinct, indices) if 2 * distinct.size < values.size else (values, slice(None))


def trained_scale(population: FloatPopulation) -> float | None:
    """The scale that training computed with, None if there is none."""
    if population.sends == "voltage":
        return population.trained_scale
    if population.vth is None or population.vth < 1:
        return None
    return STATE_UNIT * population.vth / float(population.threshold.max())


def reference_threshold(population: FloatPopulation, reach: StateBounds) -> float:
    """The value that becomes an exact integer, in the network's units: the largest threshold, if there is one."""
    if population.sends == "spikes":
        return float(population.threshold.max())
    return max(reach.highest, reach.lowest, reach.current) or 1.0


def threshold_words(thresholds: Floats, scale: float, widths: WordWidths) -> Integers:
    """vth of each neuron, at least 1."""
    words: Integers = np.clip(np.rint(scale * thresholds / STATE_UNIT), 1, widths.vth_max).astype(np.int32)
    return words
