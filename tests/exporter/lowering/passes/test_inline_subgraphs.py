"""Nested graphs mean what the same nodes mean without nesting."""

from __future__ import annotations

import naive
import nir
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import DT, nir_graphs, seeds

from spikeport.common.errors import InputError
from spikeport.exporter.compile import lower_graph
from spikeport.exporter.lowering.passes.inline_subgraphs import inline_subgraphs


def nested(graph: nir.NIRGraph, depth: int) -> nir.NIRGraph:
    """The graph between an Input and an Output of its own, `depth` times."""
    for _ in range(depth):
        nodes = {"in": graph.nodes["in"], "sub": graph, "out": graph.nodes["out"]}
        edges = [("in", "sub"), ("sub", "out")]
        graph = nir.NIRGraph(nodes, edges, {"dt": DT}, type_check=False)
    return graph


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graph=nir_graphs(), depth=st.integers(1, 3), seed=seeds)
def test_a_nested_graph_spikes_as_it_does_alone(graph: nir.NIRGraph, depth: int, seed: int) -> None:
    x = np.random.default_rng(seed).random((8, *graph.nodes["in"].output_type["output"])) < 0.4
    wanted, _ = naive.float_network(lower_graph(graph), x)
    found, _ = naive.float_network(lower_graph(nested(graph, depth)), x)
    assert set(found) == {"sub." * depth + name for name in wanted}
    for name, spikes in wanted.items():
        np.testing.assert_array_equal(found["sub." * depth + name], spikes)


def test_an_edge_from_a_subgraph_to_itself_leads_from_its_output_to_its_input() -> None:
    weight = nir.Linear(np.eye(2))
    neuron = nir.IF(r=np.ones(2), v_threshold=np.ones(2))
    ports = {"in": nir.Input({"input": np.array([2])}), "out": nir.Output({"output": np.array([2])})}
    inner = nir.NIRGraph({**ports, "w": weight, "n": neuron}, [("in", "w"), ("w", "n"), ("n", "out")], {})
    edges = [("in", "sub"), ("sub", "sub"), ("sub", "out")]
    flat = inline_subgraphs(nir.NIRGraph({**ports, "sub": inner}, edges, {"dt": DT}, type_check=False))
    assert set(flat.edges) == {("in", "sub.w"), ("sub.w", "sub.n"), ("sub.n", "out"), ("sub.n", "sub.w")}


def test_a_subgraph_of_two_inputs_with_one_edge_is_refused_by_name() -> None:
    port = nir.Input({"input": np.array([2])})
    out = nir.Output({"output": np.array([2])})
    inner = nir.NIRGraph({"a": port, "b": port, "out": out}, [("a", "out"), ("b", "out")], {}, type_check=False)
    graph = nir.NIRGraph({"in": port, "sub": inner, "out": out}, [("in", "sub"), ("sub", "out")], {"dt": DT}, False)
    with pytest.raises(InputError, match="subgraph 'sub' has 2 inputs, but 1 edges lead to it"):
        lower_graph(graph)


def test_several_inputs_and_outputs_take_the_edges_in_their_order() -> None:
    ports = {n: nir.Input({"input": np.array([2])}) for n in ("a", "b")}
    outs = {n: nir.Output({"output": np.array([2])}) for n in ("y", "z")}
    neurons = {n: nir.IF(r=np.ones(2), v_threshold=np.ones(2)) for n in ("first", "second")}
    inner_edges = [("a", "first"), ("b", "second"), ("first", "y"), ("second", "z")]
    inner = nir.NIRGraph({**ports, **outs, **neurons}, inner_edges, {}, type_check=False)
    nodes = {"one": ports["a"], "two": ports["b"], "sub": inner, "three": outs["y"], "four": outs["z"]}
    edges = [("two", "sub"), ("one", "sub"), ("sub", "four"), ("sub", "three")]
    flat = inline_subgraphs(nir.NIRGraph(nodes, edges, {"dt": DT}, type_check=False))
    wanted = {("two", "sub.first"), ("one", "sub.second"), ("sub.first", "four"), ("sub.second", "three")}
    assert set(flat.edges) == wanted
