"""A .net file's neuron fields -> a population, as lava-dl's netx maps them (lava/lib/dl/netx/hdf5.py)."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.exporter.neurons import (
    RF,
    RFIZ,
    CubaLI,
    CubaLIF,
    CubaLIReset,
    Delta,
    Integers,
    LIFReset,
    Population,
    Sigma,
    SigmaDelta,
)
from spikeport.exporter.quantisation.compensation.start_voltage import start_voltage
from spikeport.hardware_profiles.fixed_point import WordWidths

from .net_file import NetLayer, NetWarning, NeuronFields

# an affine block's neurons: v does not leak, u decays within a step
_INTEGRATOR: NeuronFields = {"type": "CUBA", "iDecay": 4096, "vDecay": 0, "vThMant": float((1 << 18) - 1)}
# fields that netx ignores, as slayer writes them
_UNUSED = {"refDelay": 1, "gradedSpike": 0}
BIAS_EXPONENT = 6
# netx's defaults: binary places of a graded spike and of a state
SPIKE_EXPONENT, STATE_EXPONENT = 6, 6


def population(layer: NetLayer, name: str, shape: tuple[int, ...], wait: int, widths: WordWidths) -> Population:
    """The neurons of a layer whose first input can arrive `wait` steps after the start."""
    fields = layer.neuron or _INTEGRATOR
    kind = str(fields.get("type", ""))
    _warn_of_unused(layer, fields)
    if kind in ("LOIHI", "CUBA"):
        return _cuba(layer, fields, name, shape, wait, widths)
    if kind == "SDNN":
        return _sigma_delta(layer, fields, name, shape)
    if kind.startswith("RF"):
        return _resonator(layer, fields, name, shape)
    raise InputError(f"{layer.context} has {kind or 'unnamed'} neurons; known are CUBA, LOIHI, SDNN, RF and RF_PHASE")


def _warn_of_unused(layer: NetLayer, fields: NeuronFields) -> None:
    """Warn of a field that neither netx nor this reader uses, if it is not as slayer writes it."""
    for name, usual in _UNUSED.items():
        value = fields.get(name, usual)
        if np.any(np.asarray(value) != usual):
            warnings.warn(
                f"{layer.context} has {name} {value}, which is not used, as in lava-dl's netx: the neurons run with "
                f"{usual}",
                NetWarning, stacklevel=2,
            )  # fmt: skip


def _cuba(
    layer: NetLayer, fields: NeuronFields, name: str, shape: tuple[int, ...], wait: int, widths: WordWidths
) -> Population:
    size = math.prod(shape)
    bias_mant, bias_exp = _bias(layer, shape, widths)
    current, voltage = (_numbers(layer, fields, name, shape) for name in ("iDecay", "vDecay"))
    wrong = (current < 1) | (current > 4096) | (voltage < 0) | (voltage > 4096)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InputError(
            f"{layer.context} has iDecay {current[at]} and vDecay {voltage[at]}; the chip's are 1 to 4096 and 0 to 4096"
        )
    constants: dict[str, Any] = {
        "du": current - 1,
        # the register cannot express a decay of 4096: v keeps a 4096th
        "dv": np.minimum(voltage, 4095),
        "bias_mant": bias_mant,
        "bias_exp": bias_exp,
    }
    threshold = _numbers(layer, fields, "vThMant", shape)
    silent = bool(np.all(threshold > widths.vth_max))
    if np.any(threshold < 0) or (not silent and np.any(threshold > widths.vth_max)):
        raise InputError(f"{layer.context} has vThMant {threshold.max()}; the chip's are 0 to {widths.vth_max}")
    vth = np.minimum(threshold, widths.vth_max)
    rest, bias_settles = start_voltage(bias_mant << bias_exp, constants["dv"], vth, wait, widths)
    if silent:
        # in the units of the weights, as lava-dl reads u and v
        constants["shift"] = np.full(size, 6, np.int32)
    else:
        constants["vth"] = vth
    if bias_settles:
        return (CubaLI if silent else CubaLIF)(name, shape, **constants, v_initial=rest)
    # no start voltage can absorb such a bias: v is set to 0 once, before the step of the first input
    once = LIFReset.once(size, wait, widths)
    return (CubaLIReset if silent else LIFReset)(name, shape, **constants, v_initial=rest, **once)


def _sigma_delta(layer: NetLayer, fields: NeuronFields, name: str, shape: tuple[int, ...]) -> Population:
    if "sigma_output" in fields:
        return Sigma(name, shape)
    threshold = _single(layer, fields, "vThMant")
    if layer.kind == "input":
        return Delta.scaled(name, shape, threshold, spike_exp=SPIKE_EXPONENT, state_exp=STATE_EXPONENT)
    bias = _bias_per_neuron(layer, shape).reshape(shape)
    return SigmaDelta.scaled(
        name, shape, threshold, bias=bias, spike_exp=SPIKE_EXPONENT, state_exp=STATE_EXPONENT
    )  # fmt: skip


def _resonator(layer: NetLayer, fields: NeuronFields, name: str, shape: tuple[int, ...]) -> Population:
    """As in netx: from the decays in the file to a period and a decay, and from those to the chip's decays."""
    sine, cosine = (_single(layer, fields, key) / 4096 for key in ("sinDecay", "cosDecay"))
    if not sine:
        raise InputError(
            f"{layer.context} has sinDecay 0: the neuron does not turn; train with a period that is finite"
        )
    alpha, period = 1 - math.sqrt(sine**2 + cosine**2), 2 * math.pi / math.atan2(sine, cosine)
    model = RF if "PHASE" in str(fields["type"]) else RFIZ
    return model.of_period(name, shape, period, alpha, _single(layer, fields, "vThMant"), state_exp=STATE_EXPONENT)


def _bias(layer: NetLayer, shape: tuple[int, ...], widths: WordWidths) -> tuple[Integers, Integers]:
    """Mantissa and exponent, one per neuron; the file's biases are in units of 64."""
    values = _bias_per_neuron(layer, shape)
    bias = values.astype(np.int64) << BIAS_EXPONENT
    exponent = _smallest_exponent(bias, widths)
    mantissa = bias >> exponent
    if np.any(mantissa << exponent != bias):
        raise InputError(
            f"{layer.context} has a bias of {int(np.abs(values).max())}, which {widths.bias_mant_bits} bit of mantissa "
            f"and {widths.bias_exp_bits} bit of exponent cannot represent exactly; scale the network down"
        )
    return mantissa.astype(np.int32), exponent.astype(np.int32)


def _bias_per_neuron(layer: NetLayer, shape: tuple[int, ...]) -> Integers:
    """One bias per neuron, (size,); the file has one for all, per channel, or per neuron in netx's order of axes."""
    bias = layer.integers("bias") if "bias" in layer.arrays else np.zeros(1, np.int32)
    size = math.prod(shape)
    if bias.ndim == len(shape) > 1 and bias.size == size:
        return _in_c_order(layer, bias, "bias", shape)
    if not bias.size or size % bias.size:
        raise InputError(f"{layer.context} has {bias.size} biases, which do not fit shape {shape}")
    return np.repeat(bias.reshape(-1), size // bias.size)


def _smallest_exponent(bias: NDArray[np.int64], widths: WordWidths) -> NDArray[np.int64]:
    exponent = np.zeros(bias.shape, np.int64)
    limit = (1 << (widths.bias_mant_bits - 1)) - 1
    for _ in range((1 << widths.bias_exp_bits) - 1):
        exponent += np.abs(bias) >> exponent > limit
    return exponent


def _single(layer: NetLayer, fields: NeuronFields, name: str) -> float:
    value = fields.get(name)
    if not isinstance(value, float | int) or not math.isfinite(value):
        raise InputError(f"{layer.context}, neuron/{name} is {value!r}, but must be one number for the layer")
    return float(value)


def _numbers(layer: NetLayer, fields: NeuronFields, name: str, shape: tuple[int, ...]) -> Integers:
    """One whole number per neuron, (size,); the file has one for all, or an array in netx's order of axes."""
    value = np.asarray(fields.get(name, np.nan))
    if value.dtype.kind not in "biuf" or np.any(value != np.rint(value)) or np.any(np.abs(value) > 1 << 24):
        raise InputError(f"{layer.context}, neuron/{name} is {fields.get(name)!r}, but must be whole numbers")
    return _in_c_order(layer, value, name, shape)


def _in_c_order(layer: NetLayer, value: NDArray[Any], name: str, shape: tuple[int, ...]) -> Integers:
    size = math.prod(shape)
    if value.size == 1:
        return np.full(size, int(value.reshape(-1)[0]), np.int32)
    if value.shape not in (shape[::-1], (size,)):
        raise InputError(f"{layer.context}, {name} has shape {value.shape}, which does not fit {shape}")
    return value.transpose().reshape(-1).astype(np.int32)
