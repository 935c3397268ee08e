"""Chip-aware training: the forward pass computes with the chip's integers.

This file rounds weights, biases, decays and thresholds; chip_step.py rounds the neurons' step. Rounding has no slope,
so gradients pass straight through it (Bengio, Leonard & Courville, arXiv:1308.3432, 2013).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from spikeport.common.errors import InputError
from spikeport.hardware_profiles.fixed_point import (
    decay_from_du,
    decay_from_dv,
    du_from_decay,
    dv_from_decay,
    lowest_bias,
)

from .sign_split import scale_by_sign
from .weight_scale import ONE, Array, Constants, FanIn, Stored, chip_bias, chip_threshold, settled_scale

SignModes = Literal["auto", "mixed", "split"]
"""One connection per synapse, or one per sign; auto: split where weights have few bits."""
# up to this width, a synapse's signs are split
_FEW_BITS = 4


@dataclass(frozen=True)
class ChipAware:
    """Rounding target: the width of the chip's weights in bits, 2..8 (raises InputError otherwise).

    arrival: the chip's step at which the layer's first input can arrive, 1 for the first layer; with `bounded_bias` it
    bounds how negative a bias may be, see fixed_point.lowest_bias. fan_in, shortcut: of the layer's synapse and of its
    shortcut.
    sign_modes: "mixed" is one connection per synapse, "split" one per sign (sign_split.py), "auto" split for up to 4
    bits.
    """

    weight_bits: int = 8
    arrival: int = 1
    fan_in: FanIn = ONE
    shortcut: FanIn = ONE
    sign_modes: SignModes = "auto"
    bounded_bias: bool = False

    @property
    def by_sign(self) -> bool:
        """Whether a synapse has a connection per sign."""
        return self.sign_modes == "split" or (self.sign_modes == "auto" and self.weight_bits <= _FEW_BITS)

    def __post_init__(self) -> None:
        if not isinstance(self.weight_bits, int) or not 2 <= self.weight_bits <= 8:
            raise InputError(f"chip-aware training supports weights of 2 to 8 bits, not {self.weight_bits!r}")


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


def fake_quantise(layer: LayerTensors, chip: ChipAware) -> LayerTensors:
    """The layer on the chip's grid, with straight-through gradients.

    decays: to 12 bit; W: to integers * 64 * 2**exp / scale, each connection with its own grid and exponent; bias: to
    mantissa * 2**exponent / scale; threshold: to whole multiples of 64 / scale (the scale is chosen so that a scalar
    threshold does not change). Weights are rounded on their own device.
    A layer that has diverged (NaN, infinity) is returned unchanged; the training loop, which knows its name, stops.
    """
    values = _rounded(layer, chip)
    return layer if values is None else _straight_through(layer, values)


class RememberedRounding:
    """fake_quantise that rounds again only if a parameter has another value than at the last call.

    Values are compared, because a write through `.data` changes no version counter; it costs a tenth of rounding.
    """

    def __init__(self) -> None:
        self._last: tuple[ChipAware, dict[str, Tensor], LayerTensors] | None = None

    def __call__(self, layer: LayerTensors, chip: ChipAware) -> LayerTensors:
        """See fake_quantise."""
        given = _parameters(layer)
        if self._last is None or self._last[0] != chip or not _equal(given, self._last[1]):
            values = _rounded(layer, chip)
            if values is None:
                return layer
            self._last = chip, {name: value.clone() for name, value in given.items()}, values
        return _straight_through(layer, self._last[2])


def _parameters(layer: LayerTensors) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in vars(layer).items() if isinstance(value, Tensor)}


def _equal(these: Mapping[str, Tensor], those: Mapping[str, Tensor]) -> bool:
    return these.keys() == those.keys() and all(
        value.device == those[name].device and value.dtype == those[name].dtype and torch.equal(value, those[name])
        for name, value in these.items()
    )


def _rounded(layer: LayerTensors, chip: ChipAware) -> LayerTensors | None:
    """The rounded values, without gradients; None if one of the layer's is not finite."""
    possible = {
        "weight": (layer.weight, chip.fan_in),
        "recurrent": (layer.recurrent, ONE),
        "shortcut": (layer.shortcut, chip.shortcut),
    }
    incoming = {name: (weight.detach(), fan) for name, (weight, fan) in possible.items() if weight is not None}
    bias, threshold, current, voltage = _arrays(layer.bias, layer.threshold, layer.current_decay, layer.voltage_decay)
    synapses = [Stored(_times(weight, 1 / fan.copies), fan) for weight, fan in incoming.values()]
    if not (np.isfinite(bias).all() and np.isfinite([synapse.ends for synapse in synapses]).all()):
        return None
    # as the layer's type holds them
    current, current_decay = _held(decay_from_du(du_from_decay(current)), layer.current_decay)
    voltage, voltage_decay = _held(decay_from_dv(dv_from_decay(voltage)), layer.voltage_decay)
    if chip.bounded_bias:
        bias = np.maximum(bias, lowest_bias(threshold, voltage, chip.arrival))
    constants = Constants(bias, current, voltage, threshold)
    rounded = (scale_by_sign if chip.by_sign else settled_scale)(synapses, constants, chip.weight_bits)
    scale = rounded.scale
    weights = {
        name: _times(stored.weight, fan.copies)
        for (name, (_, fan)), stored in zip(incoming.items(), rounded.weights, strict=True)
    }
    return LayerTensors(
        bias=_like(chip_bias(bias, scale), layer.bias),
        current_decay=current_decay,
        voltage_decay=voltage_decay,
        threshold=_like(chip_threshold(threshold, scale), layer.threshold),
        chip=ChipScale(scale.scale, scale.vth, dict(zip(incoming, rounded.exponents, strict=True))),
        **weights,
    )


def _straight_through(layer: LayerTensors, values: LayerTensors) -> LayerTensors:
    """The values, with the gradients of the layer's parameters."""
    through = {
        name: _StraightThrough.apply(value, getattr(values, name))
        for name, value in vars(layer).items()
        if isinstance(value, Tensor)
    }
    return replace(values, **through)


class _StraightThrough(torch.autograd.Function):
    """The second argument, with the gradient of the first."""

    @staticmethod
    def forward(_ctx: Any, _value: Tensor, rounded: Tensor) -> Tensor:
        return rounded.view_as(rounded)

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def _like(values: Array, tensor: Tensor) -> Tensor:
    # a GPU is not waited for
    return torch.from_numpy(np.asarray(values)).to(tensor, non_blocking=True)


def _times(weight: Tensor, factor: float) -> Tensor:
    return weight if factor == 1 else weight * factor


def _held(values: Array, tensor: Tensor) -> tuple[Array, Tensor]:
    """The values in the tensor's type, for the host and on the tensor's device."""
    rounded = torch.from_numpy(np.asarray(values)).to(tensor.dtype)
    return np.asarray(rounded.double().numpy()), rounded.to(tensor.device, non_blocking=True)


def _arrays(*values: Tensor) -> list[Array]:
    """The values for the host, in one transfer, for which a GPU is waited."""
    flat = torch.cat([value.detach().double().reshape(-1) for value in values]).cpu()
    parts = torch.split(flat, [value.numel() for value in values])
    return [np.asarray(part.view(value.shape).numpy()) for part, value in zip(parts, values, strict=True)]
