"""The cost model's arithmetic against figures worked out by hand."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeport.hardware_profiles import load_chip, load_costs
from spikeport.lava_runtime.cost_model.energy import (
    dynamic_energy,
    dynamic_energy_by_event,
    static_power,
    static_power_by_source,
)
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.lava_runtime.cost_model.events import Events, synops
from spikeport.lava_runtime.cost_model.timing import CoreStep, core_loads, core_time, step_time

COUNTS = st.floats(0, 1e9).map(Estimate.exact)
NAMES = [f.name for f in fields(Events)]
EVENTS = st.fixed_dictionaries(dict.fromkeys(NAMES, COUNTS)).map(lambda counts: Events(**counts))


def test_dynamic_energy_by_hand() -> None:
    events = Events(*(Estimate.exact(n) for n in (1000, 100, 10, 50, 500, 20, 40, 80, 3, 7)))
    parts = dynamic_energy_by_event(events, load_chip("loihi1").energy)
    assert parts["synops"].typical == pytest.approx(1000 * 35.5e-12 + 100 * 33.6e-12 + 10 * 24e-12)
    assert parts["neuron updates"].typical == pytest.approx(50 * 72.8e-12 + 500 * 51.2e-12)
    assert parts["spikes"].typical == pytest.approx(20 * 69.3e-12)
    assert parts["messages"].typical == pytest.approx(40 * 111e-12)
    assert parts["hops"].typical == pytest.approx(80 * 3.5e-12)
    assert parts["host"] == Estimate.zero()
    assert dynamic_energy(events, load_chip("loihi1").energy).typical == pytest.approx(
        sum(part.typical for part in parts.values())
    )


def test_a_format_without_a_constant_costs_what_dense_does() -> None:
    speck = load_costs("speck").energy
    assert speck.synop_conv is None
    conv, dense = synops("conv", Estimate.exact(5)), synops("dense", Estimate.exact(5))
    assert dynamic_energy(conv, speck) == dynamic_energy(dense, speck)


def test_static_power_by_hand() -> None:
    parts = static_power_by_source(load_costs("odin"), 1, 1)
    assert parts["leakage"].typical == pytest.approx(27.3e-6)
    assert parts["clock"].typical == pytest.approx(1.78e-12 * 75e6)
    # base and x86 of 32 chips, and 4096 powered cores
    board = 32 * (47.13e-3 + 23.34e-3) + 4096 * 0.4975e-3
    assert static_power(load_costs("loihi1"), 32, 4096).typical == pytest.approx(board)


def test_the_time_of_a_step_by_hand() -> None:
    time = load_chip("loihi1").time
    sent = Events(
        synops_dense=Estimate.exact(100),
        updates_inactive=Estimate.exact(30),
        updates_active=Estimate.exact(2),
        spikes=Estimate.exact(2),
        messages=Estimate.exact(4),
        hops=Estimate.exact(8),
    )
    # hops are the mesh's
    core = CoreStep(sent, Estimate.exact(5))
    loads = {"memory": 100 * 3.8, "compute": 30 * 6.0 + 2 * 9.7 + 2 * 30, "traffic": 4 * 5.1 + 5 * 16}
    assert {name: load.typical * 1e9 for name, load in core_loads(core, time).items()} == pytest.approx(loads)
    # on Loihi 1 they take turns, on Loihi 2 they overlap
    by_hand = sum(loads.values())
    overlapping = time.model_copy(update={"serial": load_chip("loihi2").time.serial})
    assert core_time(core, overlapping).typical == pytest.approx(max(loads.values()) * 1e-9)
    core = core_time(core, time)
    assert core.typical == pytest.approx(by_hand * 1e-9)
    assert core.low < max(loads.values()) * 1e-9
    assert step_time(core, Estimate.exact(3), time).typical == pytest.approx(1e-6 + by_hand * 1e-9 + 3 * 0.283e-6)


@given(one=EVENTS, two=EVENTS, scale=st.floats(0, 100))
def test_energy_is_linear_in_the_events_and_ranges_are_in_order(one: Events, two: Events, scale: float) -> None:
    energy = load_chip("loihi2").energy
    both = dynamic_energy(one + two * scale, energy)
    apart = dynamic_energy(one, energy) + dynamic_energy(two, energy) * scale
    for bound in ("low", "typical", "high"):
        assert getattr(both, bound) == pytest.approx(getattr(apart, bound), rel=1e-9, abs=1e-18)
    assert both.low <= both.typical <= both.high
