"""The three backends give equal arrays: every spike, count and state. Stock Lava is the referee."""

from __future__ import annotations

from itertools import pairwise

import nir
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from programs import beyond_stock, dense, every_kind, scattered, spikes
from strategies import chip_programs, inputs_for, scattered_programs

from spikeport.exporter.compile import compile_graph
from spikeport.exporter.program.chip_program import ChipProgram, ConvConnection, InputArrays
from spikeport.hardware_profiles.loader import load_chip
from spikeport.lava_runtime.result import SimulationResult, differences
from spikeport.lava_runtime.simulate import simulate


@pytest.mark.lava
@pytest.mark.parametrize("density", [0.01, 0.1, 0.5])
def test_backends_agree_on_spikes_of_any_density(density: float) -> None:
    program = every_kind(3)
    x = spikes((12, 3, 3, 8, 9), density, 4)
    results = {b: simulate(program, x, b, steps=18, record="all") for b in ("emulator", "lava", "stock")}
    assert any(k.startswith("u/") for k in results["emulator"].states)
    assert results["emulator"].counts()["conv1"].sum() > 0
    for other in ("lava", "stock"):
        assert differences(results["emulator"], results[other]) == []
        assert differences(results[other], results["emulator"]) == []


@pytest.mark.lava
def test_backends_agree_on_what_stock_lava_has_no_process_for() -> None:
    program = beyond_stock(3)
    x = spikes((12, 2, 3, 8, 9), 0.1, 4)
    results = {b: simulate(program, x, b, steps=80, record="all") for b in ("emulator", "lava", "stock")}
    found = results["emulator"]
    assert all(found.counts()[name].sum() > 0 for name in ("conv", "li", "fc"))
    # payloads of either sign beyond 0 and 1
    assert found.states["s/li"].dtype == np.int32
    assert found.states["s/li"].min() < -1 and found.states["s/li"].max() > 1
    for other in ("lava", "stock"):
        assert differences(found, results[other]) == []


@pytest.mark.lava
def test_backends_agree_on_graded_input_that_overflows() -> None:
    program = every_kind(5)
    x = spikes((10, 2, 3, 8, 9), 0.4, 6) * np.random.default_rng(7).integers(-120, 120, (10, 2, 3, 8, 9))
    results = {b: simulate(program, x, b, record="all") for b in ("emulator", "lava", "stock")}
    # u wraps in this network, or the test would show less than it says
    assert np.abs(results["emulator"].states["u/fc"]).max() > 1 << 22
    for other in ("lava", "stock"):
        assert differences(results["emulator"], results[other]) == []


@pytest.mark.lava
def test_samples_do_not_see_each_other() -> None:
    program = dense((20, 30, 5), 1)
    x = spikes((15, 4, 20), 0.3, 2)
    for backend in ("emulator", "lava", "stock"):
        together = simulate(program, x, backend, record="all")
        alone = simulate(program, x[:, 2:3], backend, record="all")
        for name, values in alone.states.items():
            np.testing.assert_array_equal(values[:, 0], together.states[name][:, 2])


def test_steps_beyond_the_input_are_silent_and_fewer_cut_it_off() -> None:
    program = dense((10, 10), 1)
    x = spikes((6, 2, 10), 0.5, 3)
    padded = np.concatenate([x, np.zeros((4, 2, 10), np.uint8)])
    assert (
        differences(simulate(program, x, steps=10, record="all"), simulate(program, padded, steps=10, record="all"))
        == []
    )
    short = simulate(program, x, steps=4, record="all")
    np.testing.assert_array_equal(short.states["v/layer1"], simulate(program, x, record="all").states["v/layer1"][:4])


def test_counts_are_the_recorded_spikes() -> None:
    result = simulate(every_kind(3), spikes((12, 5, 3, 8, 9), 0.3, 4), record="all")
    for name in ("conv1", "conv2", "fc"):
        np.testing.assert_array_equal(
            result.neuron_counts[name], result.states[f"s/{name}"].sum(axis=0, dtype=np.int32)
        )
    assert set(result.counts()) == {"in", "conv1", "conv2", "fc"}


def test_groups_of_samples_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    program, x = every_kind(9), spikes((8, 7, 3, 8, 9), 0.2, 1)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    one = simulate(program, x, record="all")
    monkeypatch.setattr("os.cpu_count", lambda: 5)
    assert differences(one, simulate(program, x, record="all")) == []


def inputs_of(program: ChipProgram, steps: int, samples: int, seed: int) -> dict[str, NDArray[np.uint8]]:
    """Random spikes for every input."""
    return {
        port.name: spikes((steps, samples, *port.shape), 0.4, seed + index) for index, port in enumerate(program.inputs)
    }


def all_agree(program: ChipProgram, x: InputArrays, steps: int) -> SimulationResult:
    """The emulator's result, which both Lava backends repeat."""
    emulated = simulate(program, x, "emulator", steps, "all")
    assert differences(emulated, simulate(program, x, "stock", steps, "all")) == []
    assert differences(emulated, simulate(program, x, "lava", steps, "all")) == []
    return emulated


@pytest.mark.lava
@pytest.mark.parametrize("loop", [False, True])
def test_backends_agree_on_components_that_share_nothing(loop: bool) -> None:
    program = scattered(9, loop)
    result = all_agree(program, inputs_of(program, 9, 2, 1), 12)
    assert all(result.counts()[p.name].sum() > 0 for p in program.populations)
    assert result.counts()["unused"].sum() > 0


@pytest.mark.lava
@pytest.mark.slow
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(program=scattered_programs(), seed=st.integers(0, 99))
def test_backends_agree_on_graphs_of_every_shape(program: ChipProgram, seed: int) -> None:
    all_agree(program, inputs_of(program, 7, 2, seed), 10)


def agree_on_a_drawn_network(data: st.DataObject) -> None:
    program = data.draw(chip_programs(max_neurons=30))
    assume(stock_has(program))
    x = data.draw(inputs_for(program, data.draw(st.sampled_from([0.01, 0.1, 0.5]))))
    results = {b: simulate(program, x, b, len(x) + 4, "all") for b in ("emulator", "lava", "stock")}
    for other in ("lava", "stock"):
        assert differences(results["emulator"], results[other]) == []


def stock_has(program: ChipProgram) -> bool:
    """lava.proc has no Conv with a delay."""
    return not any(isinstance(c, ConvConnection) and c.delay > 1 for c in program.connections)


@pytest.mark.lava
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_backends_agree_on_random_networks(data: st.DataObject) -> None:
    agree_on_a_drawn_network(data)


@pytest.mark.lava
@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_backends_agree_on_many_random_networks(data: st.DataObject) -> None:
    agree_on_a_drawn_network(data)


@pytest.mark.lava
def test_backends_agree_on_a_bias_axon_and_folded_pooling() -> None:
    program = compile_graph(pooled_graph_with_filtered_bias(), load_chip("loihi2"))
    assert any(p.name.endswith(".bias") for p in program.populations)
    x = spikes((12, 2, 2, 4, 4), 0.4, 3)
    results = {
        b: simulate(program, x, b, len(x) + program.pipeline_steps, "all") for b in ("emulator", "lava", "stock")
    }
    assert results["emulator"].output.sum() > 0
    for other in ("lava", "stock"):
        assert differences(results["emulator"], results[other]) == []


def pooled_graph_with_filtered_bias() -> nir.NIRGraph:
    """Pooling, a convolution of IF neurons, and CubaLIF neurons behind an Affine with bias."""
    rng = np.random.default_rng(1)
    image, three = np.ones((3, 2, 2)), np.ones(3)
    nodes = {
        "input": nir.Input(input_type={"input": np.array([2, 4, 4])}),
        "pool": nir.SumPool2d(kernel_size=np.array([2, 2]), stride=np.array([2, 2]), padding=np.array([0, 0])),
        "conv": nir.Conv2d(
            input_shape=(2, 2), weight=rng.normal(0, 0.4, (3, 2, 1, 1)), stride=1, padding=0, dilation=1, groups=1,
            bias=np.zeros(3),
        ),
        "if": nir.IF(r=image, v_threshold=image, v_reset=0 * image),
        "flatten": nir.Flatten({"input": np.array([3, 2, 2])}, start_dim=0, end_dim=-1),
        "affine": nir.Affine(weight=rng.normal(0.2, 0.5, (3, 12)), bias=np.array([0.3, -0.1, 0.2])),
        "cuba": nir.CubaLIF(
            tau_syn=2e-3 * three, tau_mem=5e-3 * three, r=5 * three, v_leak=0 * three, v_threshold=three,
            v_reset=0 * three, w_in=2 * three,
        ),
        "output": nir.Output(output_type={"output": np.array([3])}),
    }  # fmt: skip
    return nir.NIRGraph(nodes=nodes, edges=list(pairwise(nodes)), metadata={"dt": 1e-3})
