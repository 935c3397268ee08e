"""Partitions chosen by the cost model: faster or cheaper, within every limit, with the same spikes."""

from __future__ import annotations

import numpy as np
import programs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cost_model.validation import with_constants
from spikeport.common.errors import InputError
from spikeport.exporter.mapping import Mapping, map_program
from spikeport.exporter.mapping.finer import _balanced
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.partition.optimise import optimised_mapping
from spikeport.lava_runtime.partition.rates import assumed_rates, measured_rates
from spikeport.lava_runtime.profiling.profile import Profile, profile_run
from spikeport.lava_runtime.result import SimulationResult
from spikeport.lava_runtime.simulate import simulate

CHIP = load_chip("loihi1")
X = programs.spikes((10, 2, 40), 0.3, 1)


@pytest.fixture(scope="module")
def program() -> ChipProgram:
    return programs.dense((40, 300, 200, 10), 3)


@pytest.fixture(scope="module")
def run(program: ChipProgram) -> SimulationResult:
    return simulate(program, X, record="layers")


def profiled(program: ChipProgram, run: SimulationResult, mapping: Mapping) -> Profile:
    return profile_run(program, run, CHIP, X, mapping)


@pytest.mark.parametrize("goal", ["time", "energy"])
def test_an_optimised_mapping_takes_less_and_changes_no_spike(
    program: ChipProgram, run: SimulationResult, goal: str
) -> None:
    rates = measured_rates(program, run.neuron_counts, run.steps)
    mapping = optimised_mapping(program, CHIP, goal, rates)  # type: ignore[arg-type]
    assert mapping.fits
    held = {p.name: np.zeros(p.size, int) for p in program.populations}
    for core in mapping.placed:
        for part in core.slices:
            held[part.layer][part.neurons(program.population(part.layer).shape)] += 1
    assert all((counts == 1).all() for counts in held.values())
    few, best = (profiled(program, run, m) for m in (map_program(program, CHIP), mapping))
    assert few.latency.typical > 2 * best.latency.typical
    assert goal == "time" or few.energy.typical > best.energy.typical
    assert [(one.spikes, one.synops) for one in few.layers] == [(one.spikes, one.synops) for one in best.layers]
    assert optimised_mapping(program, CHIP, goal, rates) == mapping  # type: ignore[arg-type]


def test_cores_are_not_taken_where_they_gain_nothing(program: ChipProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    # a step that lasts as long as its barrier
    slow = with_constants(CHIP, {"time.step_minimum": 1.0})
    assert optimised_mapping(program, slow, "time", assumed_rates(program)).cores == map_program(program, slow).cores
    assert optimised_mapping(program, CHIP, "cores", assumed_rates(program)) == map_program(program, CHIP)
    monkeypatch.setattr("spikeport.lava_runtime.partition.optimise.MOST_CORES", 1)
    with pytest.raises(InputError, match="cores, and mappings of up to 1 are optimised"):
        optimised_mapping(program, CHIP, "time", assumed_rates(program))
    with pytest.raises(InputError, match="goal 'speed' is unknown; known are time, energy, cores"):
        optimised_mapping(program, CHIP, "speed", assumed_rates(program))  # type: ignore[arg-type]


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=60), st.data())
def test_ranges_of_equal_load_hold_every_neuron_once(loads: list[float], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(loads)))
    bounds = _balanced(count, np.array(loads))
    assert [n for a, b in bounds for n in range(a, b + 1)] == list(range(len(loads)))
    assert all(a <= b for a, b in bounds)
    assert len(bounds) == count
    sums = [sum(loads[a : b + 1]) for a, b in bounds]
    # no range has more than its share and what the ranges before it left, but for one neuron
    assert count > len(loads) / 2 or max(sums) <= sum(loads) / count + 2 * max(loads) + 1e-6
