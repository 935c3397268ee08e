"""A population -> a .net file's neuron fields and biases: neurons.py the other way round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hardware_profiles.errors import InputError
from hardware_profiles.fixed_point import WordWidths

from ..neurons import (
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
from ..neurons.base import one_value
from ..neurons.delta import DeltaEncoding
from ..neurons.rf import Resonator
from ..neurons.sigma_delta import RELU
from ..rest import resting_voltage
from .neurons import BIAS_EXPONENT, SPIKE_EXPONENT, STATE_EXPONENT

# lava-dl's threshold of neurons that never fire (slayer's affine blocks): beyond what v can reach
NEVER = (1 << 18) - 1
_SIGMA_DELTA_UNIT = 1 << (SPIKE_EXPONENT + STATE_EXPONENT)

Fields = Mapping[str, Any]


def neuron_fields(population: Population, wait: int, last: bool, widths: WordWidths, where: str) -> Fields:
    """The group `neuron` of a layer whose first input can arrive `wait` steps after the start; raises InputError.

    Constants that differ from neuron to neuron are arrays in netx's order of axes.
    """
    if isinstance(population, CubaLIFSoftReset):
        raise InputError(
            f"{where}: resets by subtraction, but lava-dl's CUBA neurons to zero; train with reset to zero"
        )
    if isinstance(population, CubaLI):
        if not last:
            raise InputError(
                f"{where}: hands its voltage on, which lava-dl's neurons do not; put a neuron with a threshold there, "
                "or end the network there"
            )
        return {**_cuba(population, wait, widths, where), "vThMant": NEVER}
    # not its subclasses: they are neurons of their own
    if type(population) in (CubaLIF, LIFReset) and isinstance(population, CubaLIF):
        return {**_cuba(population, wait, widths, where), "vThMant": in_netx_order(population.vth, population.shape)}
    if type(population) is Sigma:
        return {"type": b"SDNN", "sigma_output": True}
    if type(population) in (Delta, SigmaDelta) and isinstance(population, DeltaEncoding):
        return _sigma_delta(population, where)
    if type(population) in (RF, RFIZ) and isinstance(population, Resonator):
        return _resonator(population, where)
    raise InputError(
        f"{where}: has neurons of kind {population.KIND}, but a .net file knows CUBA, RF, RF_PHASE and SDNN; "
        "use one of those, or stay with NIR"
    )


def biases(population: Population, where: str) -> Integers | None:
    """One bias a neuron in the file's units, (size,); None where there is none. Raises InputError."""
    if isinstance(population, Cuba):
        return _in_units(population.bias, 1 << BIAS_EXPONENT, "export the .nir file, which is rounded for that", where)
    if isinstance(population, SigmaDelta):
        return _in_units(population.bias, _SIGMA_DELTA_UNIT, "round the network's biases to whole numbers", where)
    return None


def in_netx_order(values: Integers, shape: tuple[int, ...]) -> NDArray[np.int32] | int:
    """One number where all are alike; else one a neuron, axes reversed, as netx builds its processes."""
    single = one_value(values)
    return single if single is not None else np.ascontiguousarray(values.reshape(shape).transpose())


def _cuba(population: Cuba, wait: int, widths: WordWidths, where: str) -> Fields:
    vth = population.vth if isinstance(population, CubaLIF) else np.full(population.size, widths.vth_max, np.int32)
    rest, settled = resting_voltage(population.bias, population.dv, vth, wait, widths)
    reset = isinstance(population, LIFReset)
    if isinstance(population, LIFReset):
        once = LIFReset.once(population.size, wait, widths)
        if any(np.any(getattr(population, name) != value) for name, value in once.items()):
            raise InputError(
                f"{where}: is reset every {population.reset_interval[0]} steps, which is no part of a .net file; leave "
                "it out, and give netx that reset_interval"
            )
    if not np.array_equal(population.v_initial, rest) or (reset == settled and not isinstance(population, CubaLI)):
        raise InputError(
            f"{where}: starts at voltages of its own, but lava-dl's neurons at 0; leave v_initial and delays before "
            "a bias out, or stay with NIR"
        )
    shape = population.shape
    return {
        "type": b"CUBA",
        "iDecay": in_netx_order(population.du + 1, shape),
        "vDecay": in_netx_order(population.dv, shape),
        "refDelay": 1,
        "gradedSpike": False,
    }


def _sigma_delta(population: DeltaEncoding, where: str) -> Fields:
    wanted = {"spike_exp": SPIKE_EXPONENT, "state_exp": STATE_EXPONENT, "cum_error": 0}
    if isinstance(population, SigmaDelta):
        wanted["act_mode"] = RELU
    for name, value in wanted.items():
        if np.any(getattr(population, name) != value):
            raise InputError(f"{where}: has {name} {getattr(population, name)[0]}, but netx sets it to {value}")
    threshold = _single(population, "vth", where) / _SIGMA_DELTA_UNIT
    return {"type": b"SDNN", "activation": b"relu", "vThMant": _whole_if_it_is(threshold)}


def _resonator(population: Resonator, where: str) -> Fields:
    for name, value in {"decay_bits": 12, "state_exp": STATE_EXPONENT}.items():
        if np.any(getattr(population, name) != value):
            raise InputError(f"{where}: has {name} {getattr(population, name)[0]}, but netx sets it to {value}")
    if not _single(population, "sin_decay", where):
        raise InputError(f"{where}: has sin_decay 0, from which netx finds no period; use neurons that turn")
    threshold = _single(population, "vth", where) / (1 << STATE_EXPONENT)
    return {
        "type": b"RF_PHASE" if isinstance(population, RF) else b"RF",
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


def _in_units(values: Integers, unit: int, way_out: str, where: str) -> Integers | None:
    if np.any(values % unit):
        wrong = int(values[np.flatnonzero(values % unit)[0]])
        raise InputError(f"{where}: has a bias of {wrong}, but a .net file's are multiples of {unit}; {way_out}")
    return (values // unit).astype(np.int32) if np.any(values) else None
