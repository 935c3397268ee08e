"""Passes keep the float meaning: NIR's equations on the graph as written beside the lowered network, in float64."""

from __future__ import annotations

import math
from itertools import pairwise

import naive
import nir
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import DT, integrator, lif, seeds

from spikeport.common.errors import InputError
from spikeport.exporter.compile import lower_graph
from spikeport.exporter.lowering.passes.fold_scale import fold_scale
from spikeport.exporter.lowering.passes.unit_synapse import unit_synapse

Shape = tuple[int, ...]
SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def assert_same_spikes(graph: nir.NIRGraph, seed: int, steps: int = 8) -> None:
    """The lowered network spikes as the graph does before any pass."""
    network = lower_graph(graph)
    x = np.random.default_rng(seed).random((steps, *network.inputs[0].shape)) < 0.4
    wanted, nearest = naive.nir_euler(graph, DT, x)
    assume(nearest > 1e-9)
    found, _ = naive.float_network(network, x)
    for name, spikes in wanted.items():
        np.testing.assert_array_equal(found[name], spikes, err_msg=name)


def make(nodes: dict[str, nir.NIRNode], edges: list[tuple[str, str]]) -> nir.NIRGraph:
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata={"dt": DT}, type_check=False)


def line(shape: Shape, *middle: nir.NIRNode) -> nir.NIRGraph:
    """Input, the nodes under the names n0, n1, ..., Output."""
    out = nir.Output(output_type={"output": middle[-1].output_type["output"]})
    nodes = {"in": nir.Input({"input": np.array(shape)}), **{f"n{i}": n for i, n in enumerate(middle)}, "out": out}
    return make(nodes, list(pairwise(nodes)))


def convolution(shape: Shape, channels: int, rng: np.random.Generator, groups: int = 1, padding: int = 1) -> nir.Conv2d:
    weight = rng.normal(0, 1, (channels, shape[0] // groups, 3, 3))
    return nir.Conv2d(shape[1:], weight, (1, 1), (padding, padding), (1, 1), groups, rng.normal(0, 0.3, channels))


@st.composite
def scaled_graphs(draw: st.DrawFn) -> nir.NIRGraph:
    """Neurons joined with Scale nodes before, behind and without synapses, and a synapse with a second reader."""
    rng = np.random.default_rng(draw(seeds))
    image = draw(st.booleans())
    shape = (2, 3, 3) if image else (4,)

    def scale() -> nir.Scale:
        flat = draw(st.booleans())
        values = rng.uniform(0.5, 2, (2, 1, 1) if flat and image else shape)
        return nir.Scale(np.broadcast_to(values, shape).copy())

    def synapse() -> nir.NIRNode:
        if image and draw(st.booleans()):
            return convolution(shape, 2, rng, draw(st.sampled_from([1, 2])))
        size = math.prod(shape)
        return nir.Affine(rng.normal(0, 1, (size, size)), rng.normal(0, 0.3, size))

    nodes: dict[str, nir.NIRNode] = {"in": nir.Input({"input": np.array(shape)})}
    edges: list[tuple[str, str]] = []
    source = "in"
    for name in ("a", "b"):
        nodes[name] = integrator(shape, rng) if draw(st.booleans()) else lif(shape, rng, draw(st.booleans()))
        path = [source]
        for kind in draw(st.sampled_from(["wx", "xw", "xxw", "wxx", "x", "xx", ""])):
            path.append(f"{name}{len(path)}")
            nodes[path[-1]] = scale() if kind == "x" else synapse()
        edges += list(pairwise([*path, name]))
        if len(path) == 3 and isinstance(nodes[path[1]], nir.Scale) and not isinstance(nodes[path[2]], nir.Scale):
            # the synapse behind the Scale reads the input, too, and the Scale has a second reader
            nodes[f"{name}_more"] = synapse()
            edges += [(source, path[2]), (path[1], f"{name}_more"), (f"{name}_more", name)]
        elif len(path) == 3 and not isinstance(nodes[path[1]], nir.Scale):
            # the synapse before the Scale feeds the neuron, too
            edges.append((path[1], name))
        source = name
    nodes["out"] = nir.Output({"output": np.array(shape)})
    return make(nodes, [*edges, ("b", "out")])


@SETTINGS
@given(graph=scaled_graphs(), seed=seeds)
def test_scales_and_missing_synapses_keep_every_spike(graph: nir.NIRGraph, seed: int) -> None:
    try:
        assert_same_spikes(graph, seed)
    except InputError as error:
        # a scale that differs within a channel has no place in a kernel
        assert "Scale" in str(error)
        assert any(isinstance(node, nir.Conv2d) for node in graph.nodes.values())


def test_a_scale_goes_into_the_weights_behind_and_before_it() -> None:
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(3, 3)), rng.normal(size=3)
    scale = np.array([1.0, 2.0, 4.0])
    neuron = integrator((3,), rng)
    before = fold_scale(line((3,), nir.Scale(scale), nir.Affine(weight, bias), neuron)).nodes["n1"]
    np.testing.assert_array_equal(before.weight, weight * scale)
    np.testing.assert_array_equal(before.bias, bias)
    behind = fold_scale(line((3,), nir.Affine(weight, bias), nir.Scale(scale), neuron)).nodes["n0"]
    np.testing.assert_array_equal(behind.weight, weight * scale[:, None])
    np.testing.assert_array_equal(behind.bias, bias * scale)


def test_an_image_gets_a_one_by_one_convolution_and_a_vector_a_matrix() -> None:
    rng = np.random.default_rng(0)
    image = unit_synapse(line((2, 3, 3), integrator((2, 3, 3), rng))).nodes["in.n0"]
    assert isinstance(image, nir.Conv2d)
    assert image.weight.shape == (2, 1, 1, 1)
    vector = unit_synapse(line((3,), integrator((3,), rng))).nodes["in.n0"]
    np.testing.assert_array_equal(vector.weight, np.eye(3))


def test_passes_leave_the_graph_they_are_given_as_it_was() -> None:
    rng = np.random.default_rng(0)
    graph = line((3,), nir.Scale(np.full(3, 2.0)), nir.Linear(np.eye(3)), integrator((3,), rng))
    edges = list(graph.edges)
    lower_graph(graph)
    assert graph.edges == edges
    assert list(graph.nodes) == ["in", "n0", "n1", "n2", "out"]
    np.testing.assert_array_equal(graph.nodes["n1"].weight, np.eye(3))


def test_a_scale_that_fits_no_neighbour_is_refused_by_name() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match=r"'n0' \(Scale\)"):
        lower_graph(line((3,), nir.Scale(np.ones(2)), nir.Linear(np.eye(3)), integrator((3,), rng)))
