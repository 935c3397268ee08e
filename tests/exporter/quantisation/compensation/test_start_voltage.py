"""A bias waits for the first input: the start voltage takes up what the chip adds before it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import naive
import nir
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import DT, grid_networks, lif, seeds

from spikeport.exporter.compile import compile_graph, lower_graph
from spikeport.exporter.float_network.simulator import simulate_float
from spikeport.exporter.neurons import LIFReset
from spikeport.exporter.quantisation.compensation.start_voltage import start_voltage
from spikeport.exporter.quantisation.quantise import quantise
from spikeport.hardware_profiles import load_chip
from spikeport.hardware_profiles.fixed_point import WordWidths
from spikeport.lava_runtime.result import differences
from spikeport.lava_runtime.simulate import simulate

WIDTHS = WordWidths()


@given(seed=seeds, steps=st.integers(0, 6))
def test_updates_from_the_start_voltage_end_at_exactly_zero(seed: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    bias = rng.integers(-20_000, 20_000, 50, dtype=np.int32)
    dv, vth = rng.integers(0, 4096, 50, dtype=np.int32), np.full(50, WIDTHS.vth_max, np.int32)
    start, _ = start_voltage(bias, dv, vth, steps, WIDTHS)
    alone = [start_voltage(bias[i : i + 1], dv[i : i + 1], vth[i : i + 1], steps, WIDTHS)[1] for i in range(50)]
    v, spiked = start.astype(np.int64), np.zeros(50, bool)
    for _ in range(steps):
        v = np.clip(naive.toward_zero(v, dv.astype(np.int64)) + bias, -WIDTHS.state_max, WIDTHS.state_max)
        spiked |= v > vth.astype(np.int64) * 64
    assert not spiked.any()
    np.testing.assert_array_equal(v[alone], 0)


def test_a_start_that_would_spike_is_held_and_told() -> None:
    low = np.array([-50_000], np.int32)
    start, bias_settles = start_voltage(low, np.array([100]), np.array([10]), 3, WIDTHS)
    assert not bias_settles
    v = start.astype(np.int64)
    for _ in range(3):
        v = naive.toward_zero(v, np.array([100])) + low
        assert v[0] <= 10 * 64


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pair=grid_networks(), seed=seeds, density=st.sampled_from([0.0, 0.2, 0.6]))
def test_the_chip_gives_the_float_networks_spikes_from_the_first_step_on(pair: Any, seed: int, density: float) -> None:
    network, _ = pair
    program = quantise(network, "loihi2", WIDTHS)
    assume(all(not report.notes for report in program.quantisation.values()))
    x = (np.random.default_rng(seed).random((12, 1, *network.inputs[0].shape)) < density).astype(np.uint8)
    wanted, distance = naive.float_network(network, x[:, 0])
    # what is left is rounding toward zero: some units of v, against thresholds of 64 * vth units
    for p in program.populations:
        assume(np.abs(distance[p.name] * p.vth * 64).min() > 40)
    states = simulate(program, x, steps=len(x) + 3, record="all").states
    for p in program.populations:
        late = program.latency[p.name]
        found = states[f"s/{p.name}"][:, 0]
        np.testing.assert_array_equal(found[late : late + len(x)], wanted[p.name])
        assert not found[:late].any()


@pytest.mark.parametrize("leak", [0.4, -0.2])
def test_a_branching_network_with_biases_answers_like_the_float_one(leak: float) -> None:
    rng = np.random.default_rng(5)
    nodes: dict[str, nir.NIRNode] = {"in": nir.Input(input_type={"input": np.array([6])})}
    edges = []
    for source, target in (("in", "a"), ("a", "b"), ("a", "c"), ("b", "c"), ("in", "c"), ("c", "c")):
        if target not in nodes:
            nodes[target] = replace(lif((6,), rng, filtered=False), v_leak=np.full(6, leak))
        name = f"{source}{target}"
        nodes[name] = nir.Affine(weight=np.rint(rng.normal(0, 8, (6, 6))) / 8, bias=np.full(6, leak / 4))
        edges += [(source, name), (name, target)]
    nodes["out"] = nir.Output(output_type={"output": np.array([6])})
    graph = nir.NIRGraph(nodes=nodes, edges=[*edges, ("c", "out")], metadata={"dt": DT})
    network = lower_graph(graph)
    program = quantise(network, "loihi2", WIDTHS)
    x = (rng.random((40, 1, 6)) < 0.4).astype(np.uint8)
    wanted, _ = naive.float_network(network, x[:, 0])
    late = program.pipeline_steps
    assert late == 3
    found = simulate(program, x, steps=len(x) + late).output[late:, 0]
    assert wanted["c"].sum() > 10
    assert np.mean(found == wanted["c"]) > 0.97
    np.testing.assert_array_equal(found[:5], wanted["c"][:5])


@pytest.mark.lava
def test_a_bias_too_negative_for_a_start_voltage_waits_behind_one_reset() -> None:
    each = np.ones(4)
    nodes = {
        "in": nir.Input(np.array([4])), "w1": nir.Linear(np.eye(4) * 3),
        "a": nir.IF(r=each, v_threshold=each),
        "w2": nir.Affine(weight=np.eye(4) * 30, bias=np.array([-9.0, 0, 0.4, -2])),
        "b": nir.LIF(tau=each * 5 * DT, r=each * 5, v_leak=0 * each, v_threshold=each),
        "out": nir.Output(np.array([4])),
    }  # fmt: skip
    names = ["in", "w1", "a", "w2", "b", "out"]
    graph = nir.NIRGraph(nodes, list(pairwise(names)), metadata={"dt": DT})
    network, program = lower_graph(graph), compile_graph(graph, load_chip("loihi2"))
    assert isinstance(program.population("b"), LIFReset) and not program.quantisation["b"].notes
    x = (np.random.default_rng(0).random((20, 2, 4)) < 0.5).astype(np.uint8)
    late = program.latency["b"]
    wanted = simulate_float(network, {"in": x.astype(np.int32)}, 20 + late).spikes["b"]
    results = {backend: simulate(program, x, backend, 20 + late, "all") for backend in ("emulator", "lava", "stock")}
    assert wanted.sum() > 20
    np.testing.assert_array_equal(results["emulator"].output, wanted)
    for other in ("lava", "stock"):
        assert differences(results["emulator"], results[other]) == []
