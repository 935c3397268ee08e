"""A bias before a synaptic filter: a compartment that always fires carries it, from the step the first input can."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import naive
import nir
import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import DT, lif, seeds

from spikeport.exporter.compile import compile_graph, lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.nir_graph.nir_file import read_nir
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.simulate import simulate


def filtered_chain(biases: list[list[float]]) -> nir.NIRGraph:
    """Affine -> CubaLIF of two neurons, as many times as there are biases, and a recurrent Affine on the last."""
    rng = np.random.default_rng(3)
    two = np.array([2])
    nodes: dict[str, nir.NIRNode] = {"in": nir.Input(input_type={"input": two})}
    for index, bias in enumerate(biases):
        nodes[f"w{index}"] = nir.Affine(weight=rng.normal(0, 2, (2, 2)), bias=np.array(bias))
        nodes[f"n{index}"] = lif((2,), rng, filtered=True)
    nodes["out"] = nir.Output(output_type={"output": two})
    edges = list(pairwise(nodes))
    last = f"n{len(biases) - 1}"
    nodes["rec"] = nir.Affine(weight=rng.normal(0, 1, (2, 2)), bias=np.array([0.25, 0.5]))
    return nir.NIRGraph(nodes=nodes, edges=[*edges, (last, "rec"), ("rec", last)], metadata={"dt": DT})


values = st.floats(-3, 3, width=32)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(biases=st.lists(st.lists(values, min_size=2, max_size=2), min_size=1, max_size=3), seed=seeds)
def test_filtered_biases_act_as_nirs_equations_say(biases: list[list[float]], seed: int) -> None:
    graph = filtered_chain(biases)
    x = np.random.default_rng(seed).random((12, 2)) < 0.3
    wanted, nearest = naive.nir_euler(graph, DT, x)
    assume(nearest > 1e-9)
    found, _ = naive.float_network(lower_graph(graph), x)
    for name, spikes in wanted.items():
        np.testing.assert_array_equal(found[name], spikes)


def test_the_axon_carries_the_sum_of_a_neurons_biases() -> None:
    network = lower_graph(filtered_chain([[0.0, 0.0], [1.0, -2.0]]))
    assert [p.name for p in network.populations] == ["n0", "n1.bias", "n1"]
    axon = next(c for c in network.connections if c.source == "n1.bias")
    np.testing.assert_array_equal(axon.weights, [[1.25], [-1.5]])
    # nothing of it is added behind the filter
    graph = filtered_chain([[0.0, 0.0], [0.0, 0.0]])
    graph.nodes["rec"].bias[:] = 0
    np.testing.assert_array_equal(network.populations[2].bias, lower_graph(graph).populations[1].bias)


def test_it_fires_in_every_step_and_arrives_when_the_first_input_can() -> None:
    program = compile_graph(filtered_chain([[0.5, 0.5], [1.0, -2.0]]), load_chip("loihi2"))
    delays = {c.source: c.delay for c in program.connections if c.source.endswith(".bias")}
    assert (
        delays == {"n0.bias": program.latency["n0"], "n1.bias": program.latency["n1"]} == {"n0.bias": 1, "n1.bias": 2}
    )
    states = simulate(program, np.zeros((8, 1, 2), np.uint8), steps=10, record="all").states
    for name in delays:
        assert states[f"s/{name}"].all()
        target = name.removesuffix(".bias")
        arrival = program.latency[target]
        current = states[f"u/{target}"][:, 0]
        assert not current[:arrival].any()
        assert current[arrival].any()


def test_a_name_that_is_taken_gets_an_underscore() -> None:
    graph = filtered_chain([[1.0, 1.0]])
    graph.nodes["n0.bias"] = graph.nodes.pop("w0")
    graph.edges = [tuple("n0.bias" if n == "w0" else n for n in edge) for edge in graph.edges]
    assert "n0.bias_" in {p.name for p in lower_graph(graph).populations}


def test_a_braille_network_with_biases_finds_the_same_winner(conformance: Path) -> None:
    graph = read_nir(conformance / "nir" / "braille_noDelay_bias_zero.nir")
    network = lower_graph(graph, CompileOptions(dt=1e-4))
    program = compile_graph(graph, load_chip("loihi2"), CompileOptions(dt=1e-4))
    x = (np.random.default_rng(0).random((100, 200, 12)) < 0.3).astype(np.uint8)
    wanted = np.array([naive.float_network(network, x[:, i])[0]["lif2"].sum(axis=0) for i in range(200)])
    late = program.pipeline_steps
    found = simulate(program, x, steps=100 + late).output[late:].sum(axis=0)
    # measured: 97.5 % at 8 bits
    assert np.mean(wanted.argmax(axis=1) == found.argmax(axis=1)) >= 0.96
