"""Chip-aware training: the forward pass computes with the chip's integers.

This file rounds weights, biases, decays and thresholds; chip_step.py rounds the neurons' step. Rounding has no slope,
so gradients pass straight through it (Bengio, Leonard & Courville, arXiv:1308.3432, 2013).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikeport.common.errors import InputError
from spikeport.hardware_profiles.fixed_point import (
    STATE_UNIT,
    ConnectionRange,
    PopulationScale,
    WeightGrid,
    WordWidths,
    at_threshold,
    choose_scale,
    decay_from_du,
    decay_from_dv,
    du_from_decay,
    dv_from_decay,
    largest_input,
    lowest_bias,
    lowest_voltage,
    quantise_weights,
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


@dataclass(frozen=True)
class ChipAware:
    """Rounding target: the width of the chip's weights in bits, 2..8 (raises InputError otherwise).

    arrival: the chip's step at which the layer's first input can arrive, 1 for the first layer; it bounds how negative
    a bias may be, see fixed_point.lowest_bias. fan_in, shortcut: of the layer's synapse and of its shortcut.
    """

    weight_bits: int = 8
    arrival: int = 1
    fan_in: FanIn = FanIn()
    shortcut: FanIn = FanIn()

    def __post_init__(self) -> None:
        if not 2 <= self.weight_bits <= 8:
            raise InputError(f"chip-aware training supports weights of 2 to 8 bits, not {self.weight_bits}")


@dataclass(frozen=True)
class ChipScale:
    """The chip's integers for one unit of the network: `scale` units of u and v.

    vth: register word of the layer's largest threshold; exponents: per synapse, by its name in LayerTensors; a
    synapse's integers are weight * scale / (64 * 2**exponent * copies).
    """

    scale: float
    vth: int
    exponents: Mapping[str, int]


@dataclass(frozen=True)
class LayerTensors:
    """The parameters one layer computes with; see InferenceLayer for the shapes.

    chip: their scale in the chip's integers, where all of them are whole; None in floating point.
    """

    weight: Tensor
    bias: Tensor
    current_decay: Tensor
    voltage_decay: Tensor
    threshold: Tensor
    recurrent: Tensor | None = None
    shortcut: Tensor | None = None
    chip: ChipScale | None = None


def layer_scale(
    synapses: Sequence[tuple[Array, FanIn]],
    bias: Array,
    current_decay: Array,
    voltage_decay: Array,
    threshold: Array,
    bits: int,
) -> tuple[PopulationScale, list[WeightGrid]]:
    """Scale, threshold, exponents and weight grids of a layer with these incoming connections.

    synapses: weights (out, ...) as stored on the chip; current_decay, voltage_decay: already rounded to the chip's.
    Never raises for finite values.
    """
    grids = [weight_grid(sign_mode(weight), bits) for weight, _ in synapses]
    current = _largest_current(synapses, current_decay)
    voltage = lowest_voltage(current, bias, voltage_decay.min())
    largest_bias = float(np.abs(bias).max())
    scale = choose_scale(
        _ranges(synapses, grids),
        float(threshold.max()),
        float(current.max()),
        largest_bias,
        WordWidths(),
        float(voltage.max()),
    )
    return scale, grids


def _ranges(synapses: Sequence[tuple[Array, FanIn]], grids: Sequence[WeightGrid]) -> list[ConnectionRange]:
    """Largest weight and grid of each synapse, for the choice of a scale."""
    return [
        ConnectionRange(float(np.abs(weight).max(initial=0)), grid)
        for (weight, _), grid in zip(synapses, grids, strict=True)
    ]


def _largest_current(synapses: Sequence[tuple[Array, FanIn]], current_decay: Array) -> Array:
    """The largest |u| that any input can cause, per neuron."""
    summed = sum(largest_input(weight) * (fan.copies * fan.sources) for weight, fan in synapses)
    return np.asarray(summed / current_decay.min())


def fake_quantise(layer: LayerTensors, chip: ChipAware) -> LayerTensors:
    """The layer on the chip's grid, with straight-through gradients.

    decays: to 12 bit; W: to quantise_weights(W) * 64 * 2**exp / scale, each synapse with its own grid and exponent;
    bias: to mantissa * 2**exponent / scale; threshold: to whole multiples of 64 / scale (the scale is chosen so that a
    scalar threshold does not change).
    A layer that has diverged (NaN, infinity) is returned unchanged; the training loop, which knows its name, stops.
    """
    possible = {
        "weight": (layer.weight, chip.fan_in),
        "recurrent": (layer.recurrent, FanIn()),
        "shortcut": (layer.shortcut, chip.shortcut),
    }
    incoming = {name: (weight, fan) for name, (weight, fan) in possible.items() if weight is not None}
    bias = _array(layer.bias)
    if not all(np.isfinite(values).all() for values in (bias, *(_array(weight) for weight, _ in incoming.values()))):
        return layer
    synapses = [(_array(weight) / fan.copies, fan) for weight, fan in incoming.values()]
    current_decay = _straight_through(layer.current_decay, decay_from_du(du_from_decay(_array(layer.current_decay))))
    voltage_decay = _straight_through(layer.voltage_decay, decay_from_dv(dv_from_decay(_array(layer.voltage_decay))))
    bias = np.maximum(bias, lowest_bias(_array(layer.threshold), _array(voltage_decay), chip.arrival))
    scale, rounded = _settled_scale(
        synapses, bias, _array(current_decay), _array(voltage_decay), _array(layer.threshold), chip.weight_bits
    )
    weights = {
        name: _straight_through(weight, words * fan.copies)
        for (name, (weight, fan)), (words, _) in zip(incoming.items(), rounded, strict=True)
    }
    return LayerTensors(
        bias=_straight_through(layer.bias, _chip_bias(bias, scale)),
        current_decay=current_decay,
        voltage_decay=voltage_decay,
        threshold=_straight_through(layer.threshold, _chip_threshold(_array(layer.threshold), scale)),
        chip=ChipScale(scale.scale, scale.vth, dict(zip(incoming, scale.weight_exps, strict=True))),
        **weights,
    )


def _settled_scale(
    synapses: Sequence[tuple[Array, FanIn]],
    bias: Array,
    current_decay: Array,
    voltage_decay: Array,
    threshold: Array,
    bits: int,
) -> tuple[PopulationScale, list[tuple[Array, FanIn]]]:
    """A scale that the rounded values would also get, so that the compiler, which sees only those, finds the same one.

    Also returns the synapses with the chip's weights.
    """
    scale, grids = layer_scale(synapses, bias, current_decay, voltage_decay, threshold, bits)
    for _ in range(SCALE_ROUNDS):
        # rounding up can take u past its register, rounding small weights to 0 can leave only one sign
        rounded = _rounded(synapses, grids, scale)
        again, grids_again = layer_scale(
            rounded, _chip_bias(bias, scale), current_decay, voltage_decay, threshold, bits
        )
        if (again, grids_again) == (scale, grids):
            return scale, rounded
        scale, grids = again, grids_again
    lowered = _lowered(synapses, grids, scale, current_decay, float(threshold.max()))
    return lowered, _rounded(synapses, grids, lowered)


def _lowered(
    synapses: Sequence[tuple[Array, FanIn]],
    grids: Sequence[WeightGrid],
    scale: PopulationScale,
    current_decay: Array,
    threshold: float,
) -> PopulationScale:
    """A smaller scale, for rounding that alternates between two scales: the first at which u fits its register."""
    widths = WordWidths()
    ranges = _ranges(synapses, grids)
    while True:
        largest = float(_largest_current(_rounded(synapses, grids, scale), current_decay).max()) * scale.scale
        if largest <= widths.state_max - STATE_UNIT or scale.vth == 1:
            return scale
        word = math.floor(scale.vth * min(0.999, widths.state_max / largest))
        scale = at_threshold(max(1, word), ranges, threshold, widths)


def _rounded(
    synapses: Sequence[tuple[Array, FanIn]], grids: Sequence[WeightGrid], scale: PopulationScale
) -> list[tuple[Array, FanIn]]:
    """The synapses with the chip's weights."""
    return [
        (_chip_weights(weight, grid, scale, exponent), fan)
        for (weight, fan), grid, exponent in zip(synapses, grids, scale.weight_exps, strict=True)
    ]


def _chip_weights(weight: Array, grid: WeightGrid, scale: PopulationScale, exponent: int) -> Array:
    unit = STATE_UNIT * 2.0**exponent / scale.scale
    return np.asarray(quantise_weights(weight, grid, scale.scale, exponent) * unit)


def _chip_bias(bias: Array, scale: PopulationScale) -> Array:
    mantissa, exponent = split_bias(bias * scale.scale, WordWidths())
    return np.asarray(mantissa * np.exp2(exponent) / scale.scale)


def _chip_threshold(threshold: Array, scale: PopulationScale) -> Array:
    unit = STATE_UNIT / scale.scale
    return np.asarray(np.maximum(np.rint(threshold / unit), 1) * unit)


def _straight_through(value: Tensor, rounded: Array) -> Tensor:
    # x - x is an exact 0 that carries the gradient; rounded + (x - rounded) would not return `rounded` exactly
    return torch.from_numpy(np.asarray(rounded)).to(value) + (value - value.detach())


def _array(value: Tensor) -> Array:
    return np.asarray(value.detach().cpu().numpy(), dtype=np.float64)
