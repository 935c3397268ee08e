"""The scale of a layer in training: the largest at which nothing leaves its register, and weights rounded at it.

Weights are rounded on their own device, in their own precision; what is computed from them per neuron is float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikeport.hardware_profiles.fixed_point import (
    STATE_UNIT,
    ConnectionRange,
    PopulationScale,
    SignMode,
    WeightGrid,
    WordWidths,
    at_threshold,
    choose_scale,
    lowest_voltage,
    sign_mode,
    split_bias,
    weight_grid,
)

Array = NDArray[np.float64]

SCALE_ROUNDS = 8


@dataclass(frozen=True)
class FanIn:
    """How often the chip stores a synapse's weights: `copies` times, each divided by `copies`, for each of `sources`.

    copies: values that average pooling before the synapse combines, times the largest input payload;
    sources: number of layers whose summed spikes the synapse reads.
    """

    copies: int = 1
    sources: int = 1


ONE = FanIn()


@dataclass(frozen=True)
class Stored:
    """A synapse's weights, (out, ...), as the chip stores them: each divided by fan.copies; no gradients."""

    weight: Tensor
    fan: FanIn

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest weight, 0 included; NaN if one is."""
        low, high = self._measures[:2].tolist()
        # NaN is neither smaller nor larger than 0
        return -max(-low, 0.0), max(high, 0.0)

    @property
    def largest_input(self) -> Array:
        """As fixed_point.largest_input, for all copies and sources, (out,)."""
        return np.asarray(self._measures[2:] * (self.fan.copies * self.fan.sources))

    @cached_property
    def _measures(self) -> Array:
        """The lowest weight, the highest, and each output's largest input: one transfer, for which a GPU is waited."""
        rows = self.weight.flatten(1)
        # the larger of the sums of positive and of |negative| weights
        largest = (torch.linalg.vector_norm(rows, 1, dim=1) + rows.sum(1).abs()) / 2
        return np.asarray(torch.cat([torch.stack(torch.aminmax(self.weight)), largest]).double().cpu().numpy())


@dataclass(frozen=True)
class Constants:
    """What else decides a layer's scale; the decays are already rounded to the chip's."""

    bias: Array
    current_decay: Array
    voltage_decay: Array
    threshold: Array

    def largest_currents(self, synapses: Sequence[Stored]) -> Array:
        """The largest |u| that any input can cause, per output feature or channel."""
        return np.asarray(sum(synapse.largest_input for synapse in synapses) / self.current_decay.min())

    def largest_current(self, synapses: Sequence[Stored]) -> float:
        """The largest |u| of all neurons."""
        return float(self.largest_currents(synapses).max())


@dataclass(frozen=True)
class Rounded:
    """A layer's scale and every synapse's weights, multiples of 64 * 2**exponent / scale; exponents: per synapse."""

    scale: PopulationScale
    exponents: tuple[int, ...]
    weights: tuple[Stored, ...]


def largest_scale(
    ranges: Sequence[ConnectionRange], synapses: Sequence[Stored], constants: Constants
) -> PopulationScale:
    """The largest scale at which nothing can leave its register; ranges: of every connection of the synapses."""
    currents = constants.largest_currents(synapses)
    voltage = lowest_voltage(currents, constants.bias, constants.voltage_decay.min())
    threshold, largest_bias = float(constants.threshold.max()), float(np.abs(constants.bias).max())
    return choose_scale(ranges, threshold, float(currents.max()), largest_bias, WordWidths(), float(voltage.max()))


def layer_scale(
    synapses: Sequence[Stored], constants: Constants, bits: int
) -> tuple[PopulationScale, list[WeightGrid]]:
    """Scale, exponents and weight grids of a layer whose synapses are one connection each.

    Never raises for finite values.
    """
    grids = [weight_grid(_mode(*synapse.ends), bits) for synapse in synapses]
    return largest_scale(_ranges(synapses, grids), synapses, constants), grids


def settled_scale(synapses: Sequence[Stored], constants: Constants, bits: int) -> Rounded:
    """A scale that the rounded values would also get, so that the compiler, which sees only those, finds the same one.

    Each synapse is one connection, whose grid holds weights of both signs if it has them.
    """
    scale, grids = layer_scale(synapses, constants, bits)
    for _ in range(SCALE_ROUNDS):
        # rounding up can take u past its register, rounding small weights to 0 can leave only one sign
        rounded = _rounded(synapses, grids, scale)
        with_chip_bias = replace(constants, bias=chip_bias(constants.bias, scale))
        again, grids_again = layer_scale(rounded, with_chip_bias, bits)
        if (again, grids_again) == (scale, grids):
            return Rounded(scale, scale.weight_exps, rounded)
        scale, grids = again, grids_again
    # rounding alternates between two scales
    ranges, threshold = _ranges(synapses, grids), float(constants.threshold.max())
    lowered, rounded = lowered_until_u_fits(
        scale,
        constants,
        lambda tried: _rounded(synapses, grids, tried),
        lambda word: at_threshold(word, ranges, threshold, WordWidths()),
    )
    return Rounded(lowered, lowered.weight_exps, rounded)


def lowered_until_u_fits(
    scale: PopulationScale,
    constants: Constants,
    rounded_at: Callable[[PopulationScale], tuple[Stored, ...]],
    scale_at: Callable[[int], PopulationScale],
) -> tuple[PopulationScale, tuple[Stored, ...]]:
    """The first scale, from `scale` down, at which u fits its register once weights are rounded, and those weights.

    rounded_at: the weights rounded at a scale; scale_at: the scale at which the threshold has that word.
    """
    widths = WordWidths()
    while True:
        rounded = rounded_at(scale)
        # rounding up can take u past its register
        largest = constants.largest_current(rounded) * scale.scale
        if largest <= widths.state_max - STATE_UNIT or scale.vth == 1:
            return scale, rounded
        scale = scale_at(max(1, math.floor(scale.vth * min(0.999, widths.state_max / largest))))


def chip_bias(bias: Array, scale: PopulationScale) -> Array:
    """The bias as mantissa and exponent, in the network's units."""
    mantissa, exponent = split_bias(bias * scale.scale, WordWidths())
    return np.asarray(mantissa * np.exp2(exponent) / scale.scale)


def chip_threshold(threshold: Array, scale: PopulationScale) -> Array:
    """Thresholds as whole words, at least 1, in the network's units."""
    unit = STATE_UNIT / scale.scale
    return np.asarray(np.maximum(np.rint(threshold / unit), 1) * unit)


def on_grid(weight: Tensor, grid: WeightGrid, scale: float, exponent: int) -> Tensor:
    """The nearest weights on a connection's grid, in the network's units."""
    unit = STATE_UNIT * 2.0**exponent / scale * grid.step
    # in place: allocating a result for each of these costs more than the arithmetic
    levels = (weight / unit).round_().clamp_(grid.low // grid.step, grid.high // grid.step)
    return levels.mul_(unit)


def _mode(low: float, high: float) -> SignMode:
    return sign_mode(np.array([low, high]))


def _ranges(synapses: Sequence[Stored], grids: Sequence[WeightGrid]) -> list[ConnectionRange]:
    """Largest weight and grid of each synapse, for the choice of a scale."""
    ends = [synapse.ends for synapse in synapses]
    return [ConnectionRange(max(-low, high), grid) for (low, high), grid in zip(ends, grids, strict=True)]


def _rounded(synapses: Sequence[Stored], grids: Sequence[WeightGrid], scale: PopulationScale) -> tuple[Stored, ...]:
    """The synapses with the chip's weights."""
    return tuple(
        Stored(on_grid(synapse.weight, grid, scale.scale, exponent), synapse.fan)
        for synapse, grid, exponent in zip(synapses, grids, scale.weight_exps, strict=True)
    )
