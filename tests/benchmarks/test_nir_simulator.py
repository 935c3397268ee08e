"""The NIR reference: hand-made runs of every primitive, NIR's equations once more, and lowering held against it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import naive
import nir
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from nir_strategies import any_graphs, flat, spikes_for
from strategies import DT, nir_graphs, seeds

from benchmarks.nir_simulator import simulate_nir
from spikeport.common.errors import InputError
from spikeport.exporter.compile import lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.float_network.simulator import simulate_float

SETTINGS = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
NEAR = 1e-6


@SETTINGS
@given(
    graph=any_graphs(), seed=seeds, density=st.sampled_from([0.1, 0.4, 1.0]),
    discretize=st.sampled_from(["euler", "exponential"]),
    reset=st.sampled_from(["zero", "subtract", "subtract_after_decay"]),
)  # fmt: skip
def test_a_lowered_network_does_what_the_graph_does(
    graph: nir.NIRGraph, seed: int, density: float, discretize: Any, reset: Any
) -> None:
    steps, inputs = 10, spikes_for(graph, 10, 2, seed, density)
    wanted = simulate_nir(graph, inputs, discretize=discretize, reset=reset)
    assume(wanted.nearest > NEAR)
    network = lower_graph(graph, CompileOptions(discretize=discretize, reset=reset))
    starts = network.starts
    found = simulate_float(network, flat(inputs), steps + max(starts.values()))
    assert all(c.delay >= 1 for c in network.connections)
    for p in network.populations:
        known = wanted.outputs.get(p.name, wanted.sent.get(p.name))
        if known is None:
            continue  # a bias axon
        ours = found.spikes[p.name][starts[p.name] : starts[p.name] + steps]
        np.testing.assert_allclose(ours, known.reshape(ours.shape), atol=1e-9, rtol=1e-9, err_msg=p.name)
    assert set(network.outputs) <= {p.name for p in network.populations}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(graph=nir_graphs(), seed=seeds)
def test_it_spikes_as_nirs_equations_say_written_down_twice(graph: nir.NIRGraph, seed: int) -> None:
    inputs = spikes_for(graph, 10, 1, seed, 0.4)
    wanted, nearest = naive.nir_euler(graph, DT, inputs["in"][:, 0])
    assume(nearest > NEAR)
    found = simulate_nir(graph, inputs).sent
    for name, spikes in wanted.items():
        np.testing.assert_array_equal(found[name].reshape(spikes.shape), spikes, err_msg=name)


def run(node: nir.NIRNode, values: list[float], **options: Any) -> list[float]:
    """What one node of one element puts out for a list of inputs, at a time step of a quarter of a second."""
    ports = {"in": nir.Input({"input": np.array([1])}), "out": nir.Output({"output": np.array([1])})}
    graph = nir.NIRGraph({**ports, "node": node}, [("in", "node"), ("node", "out")], {}, type_check=False)
    return list(simulate_nir(graph, {"in": np.reshape(values, (-1, 1, 1))}, 0.25, **options).outputs["out"][:, 0, 0])


def one(*values: float) -> list[np.ndarray]:
    return [np.array([value]) for value in values]


def test_every_neuron_by_hand() -> None:
    assert run(nir.I(*one(3)), [1, 0, 2]) == [3, 3, 9]
    assert run(nir.IF(*one(2, 3)), [1, 1, 1, 1]) == [0, 1, 0, 1]
    assert run(nir.IF(*one(2, 3)), [1, 1, 1, 1], reset="subtract") == [0, 1, 0, 1]  # 4 - 3, 3, 5 - 3
    assert run(nir.IF(*one(2, 3, 1)), [1, 0, 1, 1]) == [0, 0, 1, 0]  # to 1, then 3 is not above 3
    assert run(nir.LI(*one(0.5, 2, 0)), [4, 0, 0]) == [4, 2, 1]
    assert run(nir.LI(*one(0.5, 2, 8)), [0, 0]) == [4, 6]
    assert run(nir.LIF(*one(0.5, 2, 0, 3)), [4, 0, 4]) == [1, 0, 1]
    assert run(nir.Threshold(*one(2)), [2, 3, -1, 9]) == [0, 1, 0, 1]
    # i = 2, 1, 0.5; v = 1, 1, 0.75
    assert run(nir.CubaLI(*one(0.5, 0.5, 1, 0, 4)), [1, 0, 0]) == [1, 1, 0.75]
    assert run(nir.CubaLIF(*one(0.5, 0.5, 1, 0, 0.9, 0, 4)), [1, 0, 0]) == [1, 0, 0]  # then 0 + 1/2, 1/4 + 1/4
    assert run(nir.LI(*one(0.25 / np.log(2), 1, 0)), [4, 0], discretize="exponential") == pytest.approx([2, 1])
    # a time constant shorter than a step is gone by the next
    assert run(nir.LI(*one(0.1, 1, 0)), [4, 0]) == [4, 0]


def test_delays_and_scales_by_hand() -> None:
    assert run(nir.Delay(*one(0.5)), [1, 2, 3, 4]) == [0, 0, 1, 2]
    assert run(nir.Delay(*one(0.6)), [1, 2, 3, 4]) == [0, 0, 1, 2]  # the nearest step
    assert run(nir.Scale(*one(-2)), [1, 2]) == [-2, -4]
    assert run(nir.Affine(np.array([[2.0]]), np.array([1.0])), [0, 3]) == [1, 7]


def loop(*middle: nir.NIRNode) -> nir.NIRGraph:
    """Input -> IF, which reads itself through the nodes given."""
    names = [f"m{i}" for i in range(len(middle))]
    nodes = {
        "in": nir.Input({"input": np.array([1])}), "a": nir.IF(*one(1, 0.5)),
        **dict(zip(names, middle, strict=True)), "out": nir.Output({"output": np.array([1])}),
    }  # fmt: skip
    edges = [("in", "a"), ("a", names[0]), *pairwise(names), (names[-1], "a"), ("a", "out")]
    return nir.NIRGraph(nodes, edges, {"dt": 0.25}, type_check=False)


def test_a_neuron_reads_itself_a_step_late_and_a_delay_adds_to_it() -> None:
    pulse = {"in": np.array([1, 0, 0, 0, 0, 0]).reshape(-1, 1, 1)}
    weight = nir.Linear(np.array([[1.0]]))
    assert list(simulate_nir(loop(weight), pulse).outputs["out"][:, 0, 0]) == [1, 1, 1, 1, 1, 1]
    late = simulate_nir(loop(nir.Delay(*one(0.5)), weight), pulse)
    assert list(late.outputs["out"][:, 0, 0]) == [1, 0, 0, 1, 0, 0]


def test_two_neurons_in_a_cycle_need_a_delay() -> None:
    nodes = loop(nir.IF(*one(1, 0.5)))
    with pytest.raises(InputError, match="a -> m0 form a cycle in which no time passes"):
        simulate_nir(nodes, {"in": np.ones((2, 1, 1))})
    timed = simulate_nir(loop(nir.IF(*one(1, 0.5)), nir.Delay(*one(0.5))), {"in": np.eye(1, 5).reshape(5, 1, 1)})
    assert list(timed.outputs["out"][:, 0, 0]) == [1, 0, 1, 0, 1]
