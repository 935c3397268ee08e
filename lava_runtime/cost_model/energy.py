"""Joules: events times constants (dynamic) and power times time (static), separately.

    dynamic = sum over kinds of event of count * constant
    static  = (chips * (static_per_chip + host_per_chip + clock_per_hertz * clock) + cores * static_per_core) * time
              + steps * step

The ends of a range are sums of ends, as if all errors had the same sign: wide, and on the safe side.
"""

from __future__ import annotations

from spikeport.hardware_profiles.quantity import Quantity
from spikeport.hardware_profiles.schema import ChipCosts, ChipEnergy

from .estimate import Estimate
from .events import Events


def dynamic_energy_by_event(events: Events, energy: ChipEnergy) -> dict[str, Estimate]:
    """Joules by kind of event: synops, neuron updates, spikes, messages, hops, host."""
    synops = (
        events.synops_dense.times(Estimate.of(energy.synop))
        + events.synops_sparse.times(Estimate.of(energy.synop_sparse or energy.synop))
        + events.synops_conv.times(Estimate.of(energy.synop_conv or energy.synop))
    )
    active = events.updates_active.times(Estimate.of(energy.neuron_update_active))
    updates = active + events.updates_inactive.times(Estimate.of(energy.neuron_update_inactive))
    return {
        "synops": synops,
        "neuron updates": updates,
        "spikes": events.spikes.times(Estimate.of(energy.spike)),
        "messages": events.messages.times(optional(energy.message)),
        "hops": events.hops.times(Estimate.of(energy.hop)) + events.chip_hops.times(optional(energy.chip_hop)),
        "host": events.host_messages.times(optional(energy.host_message)),
    }


def dynamic_energy(events: Events, energy: ChipEnergy) -> Estimate:
    """Joules that the events cost."""
    return sum(dynamic_energy_by_event(events, energy).values(), Estimate.zero())


def static_power_by_source(chip: ChipCosts, chips: float, cores: float) -> dict[str, Estimate]:
    """Watts while a network is loaded, by source: leakage, host, clock."""
    power = chip.power
    clock = optional(power.clock_per_hertz).times(optional(chip.time.clock))
    return {
        "leakage": Estimate.of(power.static_per_chip) * chips + Estimate.of(power.static_per_core) * cores,
        "host": optional(power.host_per_chip) * chips,
        "clock": clock * chips,
    }


def step_power(chip: ChipCosts, step_time: Estimate) -> Estimate:
    """Watts for closing steps of this length, whatever happens in them."""
    return Estimate.zero() if chip.energy.step is None else Estimate.of(chip.energy.step).over(step_time)


def static_power(chip: ChipCosts, chips: float, cores: float) -> Estimate:
    """Watts while a network is loaded, independent of activity."""
    return sum(static_power_by_source(chip, chips, cores).values(), Estimate.zero())


def optional(quantity: Quantity | None) -> Estimate:
    """A constant's range, zero if it is missing."""
    return Estimate.zero() if quantity is None else Estimate.of(quantity)
