"""A population -> a .net file's neuron fields and biases: neurons.py the other way round."""

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
    Delta,
    Integers,
    LIFReset,
    Population,
    Sigma,
    SigmaDelta,
)
from spikeport.exporter.neurons.base import one_value
from spikeport.exporter.neurons.graded.delta import DeltaEncoding
from spikeport.exporter.neurons.graded.sigma_delta import RELU
from spikeport.exporter.neurons.resonate_and_fire.rf import Resonator
from spikeport.exporter.quantisation.compensation.start_voltage import resting_voltage
from spikeport.hardware_profiles.fixed_point import WordWidths

from .neurons import BIAS_EXPONENT, SPIKE_EXPONENT, STATE_EXPONENT

# lava-dl's threshold of neurons that never fire (slayer's affine blocks): beyond what v can reach
NEVER = (1 << 18) - 1
_SIGMA_DELTA_UNIT = 1 << (SPIKE_EXPONENT + STATE_EXPONENT)

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a layer stands: `wait` steps after the start its first input can arrive; last: it is the output."""

    wait: int
    last: bool
    widths: WordWidths
    where: str


P = TypeVar("P", bound=Population)
_FIELDS: dict[type[Population], Callable[[Any, Place], Fields]] = {}
_BIASES: dict[type[Population], Callable[[Any, str], Integers | None]] = {}


def neuron_fields(population: Population, wait: int, last: bool, widths: WordWidths, where: str) -> Fields:
    """The group `neuron` of a layer whose first input can arrive `wait` steps after the start; raises InputError.

    Constants that differ from neuron to neuron are arrays in netx's order of axes.
    """
    fields = _FIELDS.get(type(population))
    if fields is None:
        raise InputError(
            f"{where}: has neurons of kind {population.KIND}, but a .net file knows CUBA, RF, RF_PHASE and SDNN; "
            "use one of those, or stay with NIR"
        )
    return fields(population, Place(wait, last, widths, where))


def biases(population: Population, where: str) -> Integers | None:
    """One bias per neuron in the file's units, (size,); None where there is none. Raises InputError."""
    values = _BIASES.get(type(population))
    return None if values is None else values(population, where)


def _fields_of(*models: type[P]) -> Callable[[Callable[[P, Place], Fields]], Callable[[P, Place], Fields]]:
    """Registers the fields of these models; a subclass is another neuron and registers its own."""

    def register(fields: Callable[[P, Place], Fields]) -> Callable[[P, Place], Fields]:
        _FIELDS.update(dict.fromkeys(models, fields))
        return fields

    return register


def in_netx_order(values: Integers, shape: tuple[int, ...]) -> NDArray[np.int32] | int:
    """One number where all are alike; else one a neuron, axes reversed, as netx builds its processes."""
    single = one_value(values)
    return single if single is not None else np.ascontiguousarray(values.reshape(shape).transpose())


@_fields_of(CubaLIFSoftReset)
def _soft_reset(population: CubaLIFSoftReset, place: Place) -> Fields:  # noqa: ARG001
    raise InputError(
        f"{place.where}: resets by subtraction, but lava-dl's CUBA neurons to zero; train with reset to zero"
    )


@_fields_of(CubaLI)
def _integrator(population: CubaLI, place: Place) -> Fields:
    if not place.last:
        raise InputError(
            f"{place.where}: hands its voltage on, which lava-dl's neurons do not; put a neuron with a threshold "
            "there, or end the network there"
        )
    return {**_cuba(population, place, np.full(population.size, place.widths.vth_max, np.int32)), "vThMant": NEVER}


@_fields_of(CubaLIF)
def _lif(population: CubaLIF, place: Place) -> Fields:
    return _spiking(population, place, reset=False)


@_fields_of(LIFReset)
def _lif_reset(population: LIFReset, place: Place) -> Fields:
    once = LIFReset.once(population.size, place.wait, place.widths)
    if any(np.any(getattr(population, name) != value) for name, value in once.items()):
        raise InputError(
            f"{place.where}: is reset every {population.reset_interval[0]} steps, which is no part of a .net file; "
            "leave it out, and give netx that reset_interval"
        )
    return _spiking(population, place, reset=True)


def _spiking(population: CubaLIF, place: Place, reset: bool) -> Fields:
    return {
        **_cuba(population, place, population.vth, reset),
        "vThMant": in_netx_order(population.vth, population.shape),
    }


def _cuba(population: Cuba, place: Place, vth: Integers, reset: bool | None = None) -> Fields:
    """reset: whether v is reset just before the first input, which netx does where no start voltage is right.

    None where it does not matter.
    """
    rest, settled = resting_voltage(population.bias, population.dv, vth, place.wait, place.widths)
    if not np.array_equal(population.v_initial, rest) or reset is settled:
        raise InputError(
            f"{place.where}: starts at voltages of its own, but lava-dl's neurons at 0; leave v_initial and delays "
            "before a bias out, or stay with NIR"
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
def _sigma(population: Sigma, place: Place) -> Fields:  # noqa: ARG001
    return {"type": b"SDNN", "sigma_output": True}


@_fields_of(Delta)
def _delta(population: Delta, place: Place) -> Fields:
    return _encoding(population, place.where, {})


@_fields_of(SigmaDelta)
def _sigma_delta(population: SigmaDelta, place: Place) -> Fields:
    return _encoding(population, place.where, {"act_mode": RELU})


def _encoding(population: DeltaEncoding, where: str, more: Mapping[str, int]) -> Fields:
    wanted = {"spike_exp": SPIKE_EXPONENT, "state_exp": STATE_EXPONENT, "cum_error": 0, **more}
    for name, value in wanted.items():
        if np.any(getattr(population, name) != value):
            raise InputError(f"{where}: has {name} {getattr(population, name)[0]}, but netx sets it to {value}")
    threshold = _single(population, "vth", where) / _SIGMA_DELTA_UNIT
    return {"type": b"SDNN", "activation": b"relu", "vThMant": _whole_if_it_is(threshold)}


@_fields_of(RF)
def _rf(population: RF, place: Place) -> Fields:
    return {"type": b"RF_PHASE", **_resonator(population, place.where)}


@_fields_of(RFIZ)
def _rf_iz(population: RFIZ, place: Place) -> Fields:
    return {"type": b"RF", **_resonator(population, place.where)}


def _resonator(population: Resonator, where: str) -> Fields:
    for name, value in {"decay_bits": 12, "state_exp": STATE_EXPONENT}.items():
        if np.any(getattr(population, name) != value):
            raise InputError(f"{where}: has {name} {getattr(population, name)[0]}, but netx sets it to {value}")
    if not _single(population, "sin_decay", where):
        raise InputError(f"{where}: has sin_decay 0, from which netx finds no period; use neurons that turn")
    threshold = _single(population, "vth", where) / (1 << STATE_EXPONENT)
    return {
        "sinDecay": _decay(population, "sin_decay", where),
        "cosDecay": _decay(population, "cos_decay", where),
        "vThMant": _whole_if_it_is(threshold),
    }


def _decay(population: Resonator, name: str, where: str) -> float:
    """netx turns decays into a period and back, and cuts what is behind the point: half a unit keeps them."""
    value = _single(population, name, where)
    return value + 0.5 * float(np.sign(value))


def _single(population: Population, name: str, where: str) -> int:
    value = one_value(getattr(population, name))
    if value is None:
        raise InputError(f"{where}: has {name} that differs from neuron to neuron, but netx takes one for a layer")
    return value


def _whole_if_it_is(value: float) -> float | int:
    return int(value) if value == int(value) else value


def _in_units(values: Integers, unit: int, remedy: str, where: str) -> Integers | None:
    if np.any(values % unit):
        wrong = int(values[np.flatnonzero(values % unit)[0]])
        raise InputError(f"{where}: has a bias of {wrong}, but a .net file's are multiples of {unit}; {remedy}")
    return (values // unit).astype(np.int32) if np.any(values) else None


def _cuba_biases(population: Cuba, where: str) -> Integers | None:
    return _in_units(population.bias, 1 << BIAS_EXPONENT, "export the .nir file, which is rounded for that", where)


def _sigma_delta_biases(population: SigmaDelta, where: str) -> Integers | None:
    return _in_units(population.bias, _SIGMA_DELTA_UNIT, "round the network's biases to whole numbers", where)


_BIASES.update(dict.fromkeys((CubaLI, CubaLIF, CubaLIFSoftReset, LIFReset), _cuba_biases))
_BIASES[SigmaDelta] = _sigma_delta_biases
