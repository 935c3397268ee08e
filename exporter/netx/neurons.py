"""A .net file's neuron fields -> a population, as lava-dl's netx maps them (lava/lib/dl/netx/hdf5.py)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hardware_profiles.errors import InputError
from hardware_profiles.fixed_point import WordWidths

from ..neurons import RF, RFIZ, CubaLI, CubaLIF, Delta, Integers, LIFReset, Population, Sigma, SigmaDelta
from ..rest import resting_voltage
from .net_file import NetLayer, NeuronFields

# an affine block's neurons: nothing leaks out of v, u is gone after a step
_INTEGRATOR: NeuronFields = {"type": "CUBA", "iDecay": 4096, "vDecay": 0, "vThMant": math.inf}
_BIAS_EXPONENT = 6
# netx's defaults: where a graded spike and a state have their point
_SPIKE_EXPONENT, _STATE_EXPONENT = 6, 6


def population(layer: NetLayer, name: str, shape: tuple[int, ...], wait: int, widths: WordWidths) -> Population:
    """The neurons of a layer whose first input can arrive `wait` steps after the start."""
    fields = layer.neuron or _INTEGRATOR
    kind = str(fields.get("type", ""))
    if kind in ("LOIHI", "CUBA"):
        return _cuba(layer, fields, name, shape, wait, widths)
    if kind == "SDNN":
        return _sigma_delta(layer, fields, name, shape)
    if kind.startswith("RF"):
        return _resonator(layer, fields, name, shape)
    raise InputError(f"{layer.where} has {kind or 'unnamed'} neurons; known are CUBA, LOIHI, SDNN, RF and RF_PHASE")


def _cuba(
    layer: NetLayer, fields: NeuronFields, name: str, shape: tuple[int, ...], wait: int, widths: WordWidths
) -> Population:
    size = math.prod(shape)
    bias_mant, bias_exp = _bias(layer, shape, widths)
    du, dv = _number(layer, fields, "iDecay") - 1, _number(layer, fields, "vDecay")
    if not (0 <= du < 4096 and 0 <= dv <= 4096):
        raise InputError(f"{layer.where} has iDecay {du + 1} and vDecay {dv}; the chip's are 1 to 4096 and 0 to 4096")
    constants: dict[str, Any] = {
        "du": np.full(size, du, np.int32),
        # v that keeps nothing: the register ends one short, and v keeps a 4096th
        "dv": np.full(size, min(dv, 4095), np.int32),
        "bias_mant": bias_mant,
        "bias_exp": bias_exp,
    }
    threshold = float(fields.get("vThMant", math.inf))
    silent = threshold >= widths.vth_max
    vth = np.full(size, widths.vth_max if silent else int(threshold), np.int32)
    rest, settled = resting_voltage(bias_mant << bias_exp, constants["dv"], vth, wait, widths)
    if silent:
        # in the units of the weights, as u and v are read in lava-dl
        return CubaLI(name, shape, **constants, v_initial=rest, shift=np.full(size, 6, np.int32))
    if settled:
        return CubaLIF(name, shape, **constants, v_initial=rest, vth=vth)
    # no start voltage outlasts so negative a bias: v is set to 0 once, before the step of the first input
    return LIFReset(name, shape, **constants, v_initial=rest, vth=vth, **LIFReset.once(size, wait, widths))


def _sigma_delta(layer: NetLayer, fields: NeuronFields, name: str, shape: tuple[int, ...]) -> Population:
    if "sigma_output" in fields:
        return Sigma(name, shape)
    threshold = float(fields.get("vThMant", 0))
    if layer.kind == "input":
        return Delta.scaled(name, shape, threshold, spike_exp=_SPIKE_EXPONENT, state_exp=_STATE_EXPONENT)
    bias = layer.integers("bias").reshape(-1) if "bias" in layer.arrays else np.zeros(1, np.int32)
    size = math.prod(shape)
    if size % len(bias):
        raise InputError(f"{layer.where} has {len(bias)} biases, which do not fit shape {shape}")
    each = np.repeat(bias, size // len(bias)).reshape(shape)
    return SigmaDelta.scaled(
        name, shape, threshold, bias=each, spike_exp=_SPIKE_EXPONENT, state_exp=_STATE_EXPONENT
    )  # fmt: skip


def _resonator(layer: NetLayer, fields: NeuronFields, name: str, shape: tuple[int, ...]) -> Population:
    """As netx: from the decays in the file to a period and a decay, and from those to the chip's decays."""
    sine, cosine = (_number(layer, fields, key) / 4096 for key in ("sinDecay", "cosDecay"))
    if not sine:
        raise InputError(f"{layer.where} has sinDecay 0: the neuron does not turn; train with a period that is finite")
    alpha, period = 1 - math.sqrt(sine**2 + cosine**2), 2 * math.pi / math.atan2(sine, cosine)
    model = RF if "PHASE" in str(fields["type"]) else RFIZ
    return model.of_period(name, shape, period, alpha, _number(layer, fields, "vThMant"), state_exp=_STATE_EXPONENT)


def _bias(layer: NetLayer, shape: tuple[int, ...], widths: WordWidths) -> tuple[Integers, Integers]:
    """Mantissa and exponent, one a neuron; the file has one a neuron or one a channel, in units of 64."""
    size = math.prod(shape)
    values = layer.integers("bias").reshape(-1) if "bias" in layer.arrays else np.zeros(1, np.int32)
    if size % len(values):
        raise InputError(f"{layer.where} has {len(values)} biases, which do not fit shape {shape}")
    bias = np.repeat(values, size // len(values)).astype(np.int64) << _BIAS_EXPONENT
    exponent = _smallest_exponent(bias, widths)
    mantissa = bias >> exponent
    if np.any(mantissa << exponent != bias):
        raise InputError(
            f"{layer.where} has a bias of {int(np.abs(values).max())}, which {widths.bias_mant_bits} bit of mantissa "
            f"and {widths.bias_exp_bits} bit of exponent cannot say exactly; scale the network down"
        )
    return mantissa.astype(np.int32), exponent.astype(np.int32)


def _smallest_exponent(bias: NDArray[np.int64], widths: WordWidths) -> NDArray[np.int64]:
    exponent = np.zeros(bias.shape, np.int64)
    limit = (1 << (widths.bias_mant_bits - 1)) - 1
    for _ in range((1 << widths.bias_exp_bits) - 1):
        exponent += np.abs(bias) >> exponent > limit
    return exponent


def _number(layer: NetLayer, fields: NeuronFields, name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, float | int) or value != round(value):
        raise InputError(f"{layer.where}, neuron/{name} is {value!r}, but must be a whole number")
    return int(value)
