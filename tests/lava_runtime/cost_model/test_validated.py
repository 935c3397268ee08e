"""Whether an estimate says that it lies outside what was measured, and what closing a step costs."""

from __future__ import annotations

import pytest
from places import ROOT

from benchmarks.cost_model.cases import load_cases
from benchmarks.cost_model.domain import spans
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.cost_model.energy import step_power
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.lava_runtime.cost_model.validated import Run, outside_validation


@pytest.mark.parametrize("name", ["loihi1", "loihi2"])
def test_the_profile_states_what_its_measured_networks_span(name: str) -> None:
    stated = load_chip(name).validated
    assert stated is not None
    for field, ends in spans(load_cases(ROOT / "benchmarks" / "measured"), name).items():
        low, _, high = getattr(stated, field).bounds
        assert (low, high) == pytest.approx(ends, rel=0.002), field


def test_a_run_outside_of_them_says_in_what_respect() -> None:
    chip = load_chip("loihi2")
    assert outside_validation(Run(10, 0.1, 1e-5), chip) == []
    assert outside_validation(Run(1, 0.1, 1e-5), chip) == ["cores in use: 1; the measured networks: 2 to 74"]
    sparse, long = outside_validation(Run(10, 0.001, 1e-3), chip)
    assert sparse == "spikes a neuron and step: 0.001; the measured networks: 0.058 to 0.2524"
    assert long == "microseconds a step: 1,000; the measured networks: 1.164 to 152.8"


def test_a_chip_without_measured_networks_says_so() -> None:
    mine = load_chip("loihi2").model_copy(update={"name": "mine", "validated": None})
    assert outside_validation(Run(10, 0.1, 1e-5), mine) == ["no measured network backs the estimates for mine"]


def test_closing_a_step_costs_energy_whatever_its_length() -> None:
    chip = load_chip("loihi2")
    for seconds in (1e-6, 1e-4):
        watts = step_power(chip, Estimate.exact(seconds))
        assert watts.typical * seconds == pytest.approx(33.9e-9)
    assert step_power(load_chip("loihi1"), Estimate.exact(1e-6)) == Estimate.zero()
