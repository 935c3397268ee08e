"""A chip's constants as factors of counts: joules, and seconds of its core, per event of each kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from spikeport.hardware_profiles.schema import ChipCosts
from spikeport.lava_runtime.cost_model.energy import dynamic_energy
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.lava_runtime.cost_model.events import Events
from spikeport.lava_runtime.cost_model.timing import LOADS, CoreStep, Load, core_time

from .counts import RECEIVED
from .placement import Placement

Floats = NDArray[np.float64]
Factors = dict[str, Estimate]

ACTIVE, INACTIVE = "updates_active", "updates_inactive"
_COMPUTE, _TRAFFIC = {ACTIVE, INACTIVE, "spikes"}, {"messages", RECEIVED, "hops", "chip_hops"}


def load_of(kind: str) -> Load:
    """The load of a core that events of a kind are part of; hops take it no time."""
    return "compute" if kind in _COMPUTE else "traffic" if kind in _TRAFFIC else "memory"


def load_number(kind: str) -> int:
    """The same as a number, its place in LOADS."""
    return LOADS.index(load_of(kind))


def joules(chip: ChipCosts) -> Factors:
    """Dynamic energy of one event of every kind."""
    return _factors(lambda events: dynamic_energy(events, chip.energy))


def seconds(chip: ChipCosts) -> Factors:
    """Work of a core on one event of every kind."""
    factors = _factors(lambda events: core_time(CoreStep(events), chip.time))
    return factors | {RECEIVED: core_time(CoreStep(Events(), Estimate.exact(1)), chip.time)}


def _factors(price: Callable[[Events], Estimate]) -> Factors:
    return {field.name: price(Events(**{field.name: Estimate.exact(1)})) for field in fields(Events)}


def bounds(value: Estimate) -> tuple[float, float, float]:
    """Low, typical, high."""
    return value.low, value.typical, value.high


def of_events(exact: dict[str, Floats], factors: Factors) -> Floats:
    """Cost of all events but neuron updates: (3, *shape of the counts)."""
    total = np.zeros((3, *next(iter(exact.values())).shape))
    for name, counted in exact.items():
        for bound, factor in enumerate(bounds(factors.get(name, Estimate.zero()))):
            if factor:
                total[bound] += factor * counted
    return total


def of_updates(active: Floats, placement: Placement, factors: Factors) -> Floats:
    """Cost of neuron updates, of which active (3, ..., parts) are active: (3, ..., parts)."""
    total = np.empty_like(active)
    for bound, (with_input, without) in enumerate(zip(bounds(factors[ACTIVE]), bounds(factors[INACTIVE]), strict=True)):
        total[bound] = with_input * active[bound] + without * (placement.sizes - active[bound])
    return total
