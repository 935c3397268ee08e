"""A population -> a .net file's neuron fields and biases: the inverse of neurons.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.exporter.neurons import (
    RF,
    RFIZ,
    Cuba,
    CubaLI,
    CubaLIF,
    CubaLIFSoftReset,
    CubaLIReset,
    Delta,
    Integers,
    LIFReset,
    Population,
    RegularReset,
    Sigma,
    SigmaDelta,
)
from spikeport.exporter.neurons.base import one_value
from spikeport.exporter.neurons.graded.delta import DeltaEncoding
from spikeport.exporter.neurons.graded.sigma_delta import RELU
from spikeport.exporter.neurons.resonate_and_fire.rf import Resonator
from spikeport.exporter.quantisation.compensation.start_voltage import start_voltage
from spikeport.hardware_profiles.fixed_point import WordWidths

from .neurons import BIAS_EXPONENT, SPIKE_EXPONENT, STATE_EXPONENT

# lava-dl's threshold of neurons that never fire (slayer's affine blocks): beyond what v can reach
NEVER = (1 << 18) - 1
_SIGMA_DELTA_UNIT = 1 << (SPIKE_EXPONENT + STATE_EXPONENT)

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class ChainPosition:
    """A layer's position in the chain: its first input can arrive after `wait` steps; last: it is the output."""

    wait: int
    last: bool
    widths: WordWidths
    context: str


P = TypeVar("P", bound=Population)
_FIELDS: dict[type[Population], Callable[[Any, ChainPosition], Fields]] = {}
_BIASES: dict[type[Population], Callable[[Any, str], Integers | None]] = {}


def neuron_fields(population: Population, wait: int, last: bool, widths: WordWidths, context: str) -> Fields:
    """The group `neuron` of a layer whose first input can arrive `wait` steps after the start; raises InputError.

    Constants that differ between neurons are arrays in netx's order of axes.
    """
    fields = _FIELDS.get(type(population))
    if fields is None:
        raise InputError(
            f"{context}: has neurons of kind {population.KIND}, but a .net file knows CUBA, RF, RF_PHASE and SDNN; "
            "use one of those, or stay with NIR"
        )
    return fields(population, ChainPosition(wait, last, widths, context))


def biases(population: Population, context: str) -> Integers | None:
    """One bias per neuron in the file's units, (size,); None if there is none. Raises InputError."""
    values = _BIASES.get(type(population))
    return None if values is None else values(population, context)


def _fields_of(
    *models: type[P],
) -> Callable[[Callable[[P, ChainPosition], Fields]], Callable[[P, ChainPosition], Fields]]:
    """Register the fields of these models; a subclass is another neuron and registers its own."""

    def register(fields: Callable[[P, ChainPosition], Fields]) -> Callable[[P, ChainPosition], Fields]:
        _FIELDS.update(dict.fromkeys(models, fields))
        return fields

    return register


def in_netx_order(values: Integers, shape: tuple[int, ...]) -> NDArray[np.int32] | int:
    """One number if all are equal; else one per neuron, with axes reversed, as netx builds its processes."""
    single = one_value(values)
    return single if single is not None else np.ascontiguousarray(values.reshape(shape).transpose())


@_fields_of(CubaLIFSoftReset)
def _soft_reset(population: CubaLIFSoftReset, position: ChainPosition) -> Fields:  # noqa: ARG001
    raise InputError(
        f"{position.context}: resets by subtraction, but lava-dl's CUBA neurons to zero; train with reset to zero"
    )


@_fields_of(CubaLI)
def _integrator(population: CubaLI, position: ChainPosition) -> Fields:
    if not position.last:
        raise InputError(
            f"{position.context}: passes its voltage on, which lava-dl's neurons do not; put a neuron with a threshold "
            "there, or end the network there"
        )
    return {
        **_cuba(population, position, np.full(population.size, position.widths.vth_max, np.int32)),
        "vThMant": NEVER,
    }


@_fields_of(CubaLIReset)
def _integrator_reset(population: CubaLIReset, position: ChainPosition) -> Fields:
    _check_once(population, position)
    return _integrator(population, position)


@_fields_of(CubaLIF)
def _lif(population: CubaLIF, position: ChainPosition) -> Fields:
    return _spiking(population, position, reset=False)


@_fields_of(LIFReset)
def _lif_reset(population: LIFReset, position: ChainPosition) -> Fields:
    _check_once(population, position)
    return _spiking(population, position, reset=True)


def _check_once(population: RegularReset, position: ChainPosition) -> None:
    once = RegularReset.once(population.size, position.wait, position.widths)
    if any(np.any(getattr(population, name) != value) for name, value in once.items()):
        raise InputError(
            f"{position.context}: is reset every {population.reset_interval[0]} steps, which a .net file does not "
            "contain; leave it out, and give netx that reset_interval"
        )


def _spiking(population: CubaLIF, position: ChainPosition, reset: bool) -> Fields:
    return {
        **_cuba(population, position, population.vth, reset),
        "vThMant": in_netx_order(population.vth, population.shape),
    }


def _cuba(population: Cuba, position: ChainPosition, vth: Integers, reset: bool | None = None) -> Fields:
    """reset: whether v is reset just before the first input, which netx does if no start voltage is right.

    None if it does not matter.
    """
    rest, bias_settles = start_voltage(population.bias, population.dv, vth, position.wait, position.widths)
    if not np.array_equal(population.v_initial, rest) or reset is bias_settles:
        raise InputError(
            f"{position.context}: starts at voltages of its own, but lava-dl's neurons at 0; leave v_initial and "
            "delays before a bias out, or stay with NIR"
        )
    shape = population.shape
    return {
        "type": b"CUBA",
        "iDecay": in_netx_order(population.du + 1, shape),
        "vDecay": in_netx_order(population.dv, shape),
        "refDelay": 1,
        "gradedSpike": False,
    }


@_fields_of(Sigma)
def _sigma(population: Sigma, position: ChainPosition) -> Fields:  # noqa: ARG001
    return {"type": b"SDNN", "sigma_output": True}


@_fields_of(Delta)
def _delta(population: Delta, position: ChainPosition) -> Fields:
    return _encoding(population, position.context, {})


@_fields_of(SigmaDelta)
def _sigma_delta(population: SigmaDelta, position: ChainPosition) -> Fields:
    return _encoding(population, position.context, {"act_mode": RELU})


def _encoding(population: DeltaEncoding, context: str, more: Mapping[str, int]) -> Fields:
    expected = {"spike_exp": SPIKE_EXPONENT, "state_exp": STATE_EXPONENT, "cum_error": 0, **more}
    for name, value in expected.items():
        if np.any(getattr(population, name) != value):
            raise InputError(f"{context}: has {name} {getattr(population, name)[0]}, but netx sets it to {value}")
    threshold = _single(population, "vth", context) / _SIGMA_DELTA_UNIT
    return {"type": b"SDNN", "activation": b"relu", "vThMant": _whole_if_it_is(threshold)}


@_fields_of(RF)
def _rf(population: RF, position: ChainPosition) -> Fields:
    return {"type": b"RF_PHASE", **_resonator(population, position.context)}


@_fields_of(RFIZ)
def _rf_iz(population: RFIZ, position: ChainPosition) -> Fields:
    return {"type": b"RF", **_resonator(population, position.context)}


def _resonator(population: Resonator, context: str) -> Fields:
    for name, value in {"decay_bits": 12, "state_exp": STATE_EXPONENT}.items():
        if np.any(getattr(population, name) != value):
            raise InputError(f"{context}: has {name} {getattr(population, name)[0]}, but netx sets it to {value}")
    if not _single(population, "sin_decay", context):
        raise InputError(f"{context}: has sin_decay 0, from which netx finds no period; use neurons that turn")
    threshold = _single(population, "vth", context) / (1 << STATE_EXPONENT)
    return {
        "sinDecay": _decay(population, "sin_decay", context),
        "cosDecay": _decay(population, "cos_decay", context),
        "vThMant": _whole_if_it_is(threshold),
    }


def _decay(population: Resonator, name: str, context: str) -> float:
    """netx converts decays to a period and back, and truncates them: adding half a unit preserves them."""
    value = _single(population, name, context)
    return value + 0.5 * float(np.sign(value))


def _single(population: Population, name: str, context: str) -> int:
    value = one_value(getattr(population, name))
    if value is None:
        raise InputError(f"{context}: has {name} that differs between neurons, but netx takes one per layer")
    return value


def _whole_if_it_is(value: float) -> float | int:
    return int(value) if value == int(value) else value


def _in_units(values: Integers, unit: int, remedy: str, context: str) -> Integers | None:
    if np.any(values % unit):
        wrong = int(values[np.flatnonzero(values % unit)[0]])
        raise InputError(f"{context}: has a bias of {wrong}, but a .net file's are multiples of {unit}; {remedy}")
    return (values // unit).astype(np.int32) if np.any(values) else None


def _cuba_biases(population: Cuba, context: str) -> Integers | None:
    return _in_units(population.bias, 1 << BIAS_EXPONENT, "export the .nir file, which is rounded for that", context)


def _sigma_delta_biases(population: SigmaDelta, context: str) -> Integers | None:
    return _in_units(population.bias, _SIGMA_DELTA_UNIT, "round the network's biases to whole numbers", context)


_BIASES.update(dict.fromkeys((CubaLI, CubaLIReset, CubaLIF, CubaLIFSoftReset, LIFReset), _cuba_biases))
_BIASES[SigmaDelta] = _sigma_delta_biases
