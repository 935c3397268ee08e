"""The emulator beside an integer simulator written straight from the contract: equal in every step and state."""

from __future__ import annotations

from typing import Any

import naive
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import chip_programs, inputs_for, nir_graphs, seeds

from spikeport.exporter.compile import lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.exporter.quantisation.quantise import quantise
from spikeport.hardware_profiles.fixed_point import WordWidths
from spikeport.lava_runtime.simulate import simulate

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def assert_chip_is_the_contract(program: ChipProgram, x: np.ndarray[Any, Any]) -> None:
    steps = len(x) + 3
    result = simulate(program, x, steps=steps, record="all")
    for sample in range(x.shape[1]):
        for name, wanted in naive.chip(program, x[:, sample], steps).items():
            found = result.states[name][:, sample].reshape(steps, -1)
            np.testing.assert_array_equal(found, wanted, err_msg=f"{name}, sample {sample}")


@SETTINGS
@given(data=st.data(), density=st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_any_program_runs_as_the_contract_says(data: st.DataObject, density: float) -> None:
    program = data.draw(chip_programs())
    assert_chip_is_the_contract(program, data.draw(inputs_for(program, density)))


@SETTINGS
@given(data=st.data(), density=st.sampled_from([0.1, 0.5]))
def test_programs_without_payloads_or_delays_run_as_the_contract_says(data: st.DataObject, density: float) -> None:
    program = data.draw(chip_programs(delays=False, payloads=False))
    assert_chip_is_the_contract(program, data.draw(inputs_for(program, density)))


@settings(SETTINGS, max_examples=30)
@given(network=nir_graphs().map(lower_graph), bits=st.integers(2, 8), seed=seeds)
def test_compiled_networks_run_as_the_contract_says(network: Any, bits: int, seed: int) -> None:
    program = quantise(network, "loihi2", WordWidths(), CompileOptions(weight_bits=bits))
    shape = (8, 2, *program.inputs[0].shape)
    assert_chip_is_the_contract(program, (np.random.default_rng(seed).random(shape) < 0.4).astype(np.int32))
