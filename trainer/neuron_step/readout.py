"""A readout: leaky integrators without a threshold, whose voltage is the output, in floating point or as on the chip.

    u[t] = u[t-1] (1 - current_decay) + W s_in[t];  v[t] = v[t-1] (1 - voltage_decay) + u[t] + bias;  output v[t]

On the chip u and v are integers, `scale` for one unit of the network, and v is sent whole as a graded spike.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikeport.hardware_profiles.fixed_point import (
    STATE_UNIT,
    WeightGrid,
    WordWidths,
    decay_from_du,
    decay_from_dv,
    du_from_decay,
    dv_from_decay,
    largest_input,
    split_bias,
    start_per_bias,
    weight_grid,
)

from .chip_populations import ChipNeurons, run_neurons
from .dynamics import filter_current
from .quantise import ChipAware, ChipScale, LayerTensors
from .surrogates import surrogate
from .weight_scale import on_grid

Array = NDArray[np.float64]

# of the largest voltage that any input can cause, the share that v has room for: every positive synapse active in every
# step is far beyond what happens, and v saturates in training as it does on the chip
_ROOM = 0.25
# where v forgets faster than this, what the bias did before the first input hardly matters
_FORGOTTEN = 1024.0
# a leak of at least this much is assumed for that voltage
_LEAK = 1 / 64
# no surrogate is used, but ChipNeurons has one
_NONE = surrogate("atan")


def integrate(summed: Tensor, layer: LayerTensors) -> Tensor:
    """Voltages (T, B, outputs) in floating point for the summed input."""
    current = filter_current(summed, layer.current_decay)
    return filter_current(current + layer.bias, layer.voltage_decay)


def integrate_on_chip(summed: Tensor, layer: LayerTensors, chip: ChipScale) -> Tensor:
    """As `integrate`, with the chip's integers; summed: whole numbers. The voltages are those integers over scale."""
    bias = _with_slope(layer.bias * chip.scale, (layer.bias.detach() * chip.scale).round())
    like = torch.zeros_like(bias, dtype=torch.float64)
    neurons = ChipNeurons(
        like + (1 - layer.current_decay.detach().double()), like + (1 - layer.voltage_decay.detach().double()),
        None, None, 0, _NONE, 1.0, 1.0,
    )  # fmt: skip
    rest = torch.zeros_like(summed[0])
    sent, _, _ = run_neurons(summed, bias, neurons, rest, rest)
    return sent / chip.scale


def round_readout(layer: LayerTensors, aware: ChipAware) -> LayerTensors:
    """The layer on the chip's grid, with straight-through gradients; unchanged if it is not finite.

    decays: to 12 bit; W: to whole multiples of 64 * 2**exponent / scale, each sign on its own grid; bias: to mantissa *
    2**exponent / scale. The compiler takes scale and shift from the network's file.
    """
    weight, bias = _array(layer.weight) / aware.fan_in.copies, _array(layer.bias)
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        return layer
    current = decay_from_du(du_from_decay(_array(layer.current_decay)))
    voltage = decay_from_dv(dv_from_decay(_array(layer.voltage_decay)))
    scale, exponent = readout_scale(weight, bias, current, voltage, aware)
    words = on_grid(torch.from_numpy(weight), _grid(aware), scale, exponent) * aware.fan_in.copies
    mantissa, shift = split_bias(bias * scale, WordWidths())
    return LayerTensors(
        weight=_with_slope(layer.weight, words.to(layer.weight)),
        bias=_with_slope(layer.bias, _like(mantissa * np.exp2(shift) / scale, layer.bias)),
        current_decay=_like(current, layer.current_decay),
        voltage_decay=_like(voltage, layer.voltage_decay),
        threshold=layer.threshold,
        chip=ChipScale(scale, 0, {"weight": exponent}),
    )


def readout_scale(
    weight: Array, bias: Array, current_decay: Array, voltage_decay: Array, aware: ChipAware
) -> tuple[float, int]:
    """Units of u and v for one of the network's, and the weights' exponent: as fine as the registers allow.

    u cannot wrap whatever arrives; v has room for _ROOM of its worst case, and for the start voltage that undoes the
    bias until the first input (compensation/start_voltage.py in exporter/quantisation). weight: as stored on the chip.
    """
    widths, fan = WordWidths(), aware.fan_in
    arriving = float(largest_input(weight).max()) * fan.copies * fan.sources / float(current_decay.min())
    rising = _ROOM * arriving / max(float(voltage_decay.min()), _LEAK) + float(np.abs(bias).max())
    limits = [(widths.state_max - STATE_UNIT) / arriving if arriving else math.inf]
    limits += [widths.state_max / rising] if rising else []
    if np.any(bias):
        limits += [widths.bias_max / float(np.abs(bias).max())]
        undone = float(start_per_bias(voltage_decay, aware.arrival).max())
        limits += [widths.state_max / (undone * float(np.abs(bias).max()))] if undone < _FORGOTTEN else []
    # rounding weights up must not take u past its register
    limit = 0.98 * min(limits)
    largest = float(np.abs(weight).max())
    if not math.isfinite(limit):
        return float(STATE_UNIT), 0
    if largest == 0:
        return limit, 0
    full = STATE_UNIT * _grid(aware).high / largest
    exponent = min(math.floor(math.log2(limit / full)), widths.weight_exp_max)
    return (limit, 0) if exponent < 0 else (full * 2.0**exponent, exponent)


def _grid(aware: ChipAware) -> WeightGrid:
    """The weights there may be: with those of each sign in a connection of their own, one bit finer."""
    positive = weight_grid("mixed" if aware.sign_modes == "mixed" else "excitatory", aware.weight_bits)
    return WeightGrid(-positive.high, positive.high, positive.step)


def _with_slope(value: Tensor, rounded: Tensor) -> Tensor:
    # x - x is an exact 0 that carries the gradient
    return rounded + (value - value.detach())


def _like(values: Array, tensor: Tensor) -> Tensor:
    return torch.from_numpy(np.asarray(values)).to(tensor)


def _array(value: Tensor) -> Array:
    return np.asarray(value.detach().cpu().numpy(), dtype=np.float64)
