"""The cost of a partition from rates: what the profiler counts core by core for a run with these rates."""

from __future__ import annotations

import numpy as np
import pytest
from crowded_chip import crowded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import chip_programs, inputs_for

from benchmarks.cost_model.validation import with_constants
from spikeport.exporter.mapping import slices_of
from spikeport.lava_runtime.partition.rates import measured_rates
from spikeport.lava_runtime.partition.step_cost import StepCosts
from spikeport.lava_runtime.profiling.profile import profile_run
from spikeport.lava_runtime.simulate import simulate


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), compartments=st.sampled_from([1, 5, 1024]), serial=st.sampled_from([0.0, 1.0]))
def test_cores_take_as_long_as_the_profiler_says(data: st.DataObject, compartments: int, serial: float) -> None:
    program = data.draw(chip_programs())
    x = data.draw(inputs_for(program, 0.5))[:, :1]
    chip = crowded(compartments)
    # rates do not tell which updates are active
    chip = with_constants(chip, {"time.neuron_update_active": chip.time.neuron_update.value, "time.serial": serial})
    result = simulate(program, x, record="layers")
    profile = profile_run(program, result, chip)
    costs = StepCosts(program, chip, measured_rates(program, result.neuron_counts, result.steps))
    placed = profile.mapping.placed
    parts = {p.name: slices_of(placed, p.name) for p in program.populations}
    cost = costs.of({name: [part for _, part in own] for name, own in parts.items()})
    for name, own in parts.items():
        assert cost.core[name] == pytest.approx(profile.timeline.work[1][0, [core for core, _ in own]])
    assert np.max([values.max() for values in cost.core.values()]) == pytest.approx(profile.timeline.work[1].max())
