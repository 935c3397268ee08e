"""What a run costs: counts equal a naive count of synapses and spikes, energies add up, ranges are in order."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import naive
import numpy as np
import programs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array
from strategies import chip_programs, inputs_for

from benchmarks.synaptic_operations import synaptic_operations
from spikeport.exporter.mapping import encoding
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.lava_runtime.profiling.profile import Profile, profile_run
from spikeport.lava_runtime.result import SimulationResult
from spikeport.lava_runtime.simulate import simulate

SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def recorded(program: ChipProgram, x: NDArray[np.int32], result: SimulationResult) -> dict[str, NDArray[np.int64]]:
    """Spikes a source element over the whole run, summed over samples, from what was recorded step by step."""
    found = {name[2:]: s.sum(axis=(0, 1)).reshape(-1) for name, s in result.states.items() if name.startswith("s/")}
    return found | {program.inputs[0].name: (x != 0).sum(axis=(0, 1)).reshape(-1)}


@SETTINGS
@given(data=st.data(), density=st.sampled_from([0.0, 0.2, 1.0]), chip=st.sampled_from(["loihi1", "loihi2"]))
def test_counts_are_those_of_the_recorded_spikes(data: st.DataObject, density: float, chip: str) -> None:
    program = data.draw(chip_programs())
    x = data.draw(inputs_for(program, density))
    result = simulate(program, x, steps=len(x) + 2, record="all")
    profile = profile_run(program, result, load_chip(chip))
    spikes, batch = recorded(program, x, result), x.shape[1]
    for layer in profile.layers:
        assert layer.spikes == pytest.approx(spikes[layer.name].sum() / batch)
        accesses = 0
        for connection in program.into(layer.name):
            fan_out = Counter(source for source, _, _ in naive.synapse_list(connection))
            accesses += sum(int(n) * fan_out[i] for i, n in enumerate(spikes[connection.source]))
        assert layer.synops == pytest.approx(accesses / batch)
        reached = sum(profile.mapping.layer(c.target).cores for c in program.out_of(layer.name))
        # an image need not reach every core; tests/lava_runtime/profiling/test_timeline.py counts message by message
        assert layer.messages <= layer.spikes * reached + 1e-9
        is_input = layer.name == "in"
        assert layer.neuron_updates == (0 if is_input else layer.neurons * (len(x) + 2))
    assert_adds_up(profile)


def assert_adds_up(profile: Profile) -> None:
    for bound in ("low", "typical", "high"):
        layers = sum(getattr(layer.energy, bound) for layer in profile.layers)
        assert getattr(profile.dynamic, bound) == pytest.approx(layers)
        assert getattr(profile.energy, bound) == pytest.approx(layers + getattr(profile.static, bound))
        assert getattr(profile.latency, bound) == pytest.approx(getattr(profile.step_time, bound) * profile.steps)
    for what in (profile.dynamic, profile.static, profile.energy, profile.latency, profile.step_time):
        assert 0 <= what.low <= what.typical <= what.high
    assert profile.total("spikes") == pytest.approx(sum(layer.spikes for layer in profile.layers))


def test_the_energy_of_a_layer_is_its_counts_times_the_chips_constants() -> None:
    program = programs.dense((6, 8, 4), 3)
    chip = load_chip("loihi1")
    profile = profile_run(program, simulate(program, programs.spikes((10, 3, 6), 0.5, 1), steps=10), chip)
    assert profile.samples == 3
    entry, first, _ = profile.layers
    cost = chip.energy
    assert first.synops == pytest.approx(entry.spikes * 8)
    assert cost.message is not None and chip.power.host_per_chip is not None and chip.time.host_message is not None
    expected = (
        first.synops * cost.synop.value
        + first.neurons * 10 * cost.neuron_update_active.value
        + first.spikes * cost.spike.value
        + first.messages * cost.message.value
        + first.hops * cost.hop.value
    )
    assert first.energy.typical == pytest.approx(expected)
    sent = entry.spikes * cost.spike.value + entry.messages * cost.message.value + entry.hops * cost.hop.value
    assert entry.energy.typical == pytest.approx(sent)
    power = chip.power.static_per_chip.value + chip.power.host_per_chip.value + 2 * chip.power.static_per_core.value
    assert profile.static.typical == pytest.approx(power * profile.latency.typical)
    assert profile.host_latency.typical == pytest.approx(entry.messages * chip.time.host_message.value)
    assert profile.events.synops.typical == pytest.approx(profile.total("synops"))


def test_the_busiest_core_sets_the_step_time() -> None:
    program = programs.dense((6, 40, 4), 3)
    chip = load_chip("loihi1")
    profile = profile_run(program, simulate(program, programs.spikes((10, 2, 6), 0.5, 1), steps=10), chip)
    time = chip.time
    assert time.spike and time.message and time.message_in and time.neuron_update_active
    work = [
        (
            layer.synops * time.synop.value
            + 10 * layer.neurons * time.neuron_update_active.value
            + layer.spikes * time.spike.value
            + layer.messages * time.message.value
            + before.spikes * time.message_in.value
        )
        / 10
        for before, layer in pairwise(profile.layers)
    ]
    assert profile.step_time.typical == pytest.approx(time.step_minimum.value + max(work))


def test_silence_costs_updates_and_static_power_only() -> None:
    program = programs.dense((6, 8), 3, threshold=100_000)
    none = np.zeros(8, np.int32)
    silent = replace(program.populations[0], bias_mant=none, v_initial=none)
    program = replace(program, populations=(silent,))
    chip = load_chip("loihi2")
    profile = profile_run(program, simulate(program, np.zeros((10, 1, 6), np.uint8), steps=10), chip)
    assert profile.dynamic.typical == pytest.approx(80 * chip.energy.neuron_update_inactive.value)
    # a step costs 34 nJ however little happens in it
    rest = chip.power.static_per_chip.value * profile.latency.typical
    assert profile.static.typical == pytest.approx(rest + 10 * 33.9e-9)
    assert profile.silent.typical == pytest.approx(profile.energy.typical)
    assert [sentence.split(":")[0] for sentence in profile.outside_validation] == [
        "cores in use", "spikes a neuron and step",
    ]  # fmt: skip


@SETTINGS
@given(data=st.data(), density=st.sampled_from([0.0, 0.2]))
def test_active_updates_are_those_of_the_recorded_states(data: st.DataObject, density: float) -> None:
    program = data.draw(chip_programs())
    x = data.draw(inputs_for(program, density))
    chip = load_chip("loihi2")
    result = simulate(program, x, record="all")
    known, unknown = profile_run(program, result, chip, x), profile_run(program, replace(result, states={}), chip)
    for population in program.populations:
        counted = known.timeline.events(population.name).updates_active
        bounds = unknown.timeline.events(population.name)
        states = [np.asarray(v) for k, v in result.states.items() if k.split("/", 1)[1] == population.name]
        voltage = np.asarray(result.states[f"v/{population.name}"])
        active = 0
        for t in range(result.steps):
            now = sum((state[t] != 0).astype(int) for state in states) > 0
            active += int((now | (voltage[t - 1] != 0) if t else now).sum())
        assert counted.low == counted.high == pytest.approx(active / x.shape[1])
        assert bounds.updates_active.low <= counted.typical + 1e-9
        assert counted.typical <= bounds.updates_active.high + 1e-9
        for bound in ("low", "typical", "high"):
            assert getattr(bounds.updates, bound) == pytest.approx(population.size * result.steps)


def test_sparse_and_split_synapses_are_accessed_by_what_they_hold() -> None:
    rng = np.random.default_rng(2)
    program = programs.dense((6, 8), 3)
    whole = program.connections[0]
    sparse = programs.sparse(whole.source, whole.target, (8, 6), 0, rng)
    up = replace(whole, weights=np.maximum(whole.weights, 0), sign_mode="excitatory", synapse="fc")
    down = replace(whole, weights=np.minimum(whole.weights, 0), sign_mode="inhibitory", synapse="fc")
    counts = rng.integers(0, 5, (3, 6), dtype=np.int32)
    matrix = csr_array((sparse.weights, sparse.indices, sparse.indptr), shape=(8, 6))
    stored = np.asarray((matrix != 0).sum(axis=0)).reshape(-1)
    one = replace(program, connections=(sparse,))
    assert encoding(sparse, one) == "sparse"
    assert synaptic_operations(sparse, counts, one) == pytest.approx((counts @ stored).mean())
    two = replace(program, connections=(up, down))
    held = (whole.weights != 0).sum(axis=0)
    assert (encoding(up, two), encoding(whole, program)) == ("sparse", "dense")
    both = synaptic_operations(up, counts, two) + synaptic_operations(down, counts, two)
    assert both == pytest.approx((counts @ held).mean())
    assert synaptic_operations(whole, counts, program) == pytest.approx(counts.sum(axis=1).mean() * 8)


def test_ranges_calculate_bound_by_bound() -> None:
    one, two = Estimate(1, 2, 3), Estimate(2, 4, 8)
    assert one + two == Estimate(3, 6, 11)
    assert one * 2 == Estimate(2, 4, 6)
    assert one.times(two) == Estimate(2, 8, 24)
    assert one.largest(Estimate(0, 5, 1)) == Estimate(1, 5, 3)
    assert one.over(two) == Estimate(1 / 8, 2 / 4, 3 / 2)
