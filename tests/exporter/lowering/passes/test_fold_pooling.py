"""Pooling folded into what follows: the same spikes as pooling first, for every kernel, stride and padding."""

from __future__ import annotations

import math
from itertools import pairwise

import naive
import nir
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import DT, integrator, seeds

from spikeport.common.errors import InputError
from spikeport.exporter.compile import lower_graph

Shape = tuple[int, ...]
numbers = st.tuples(st.integers(1, 3), st.integers(1, 3))
paddings = st.tuples(st.integers(0, 1), st.integers(0, 1))


def line(*nodes: nir.NIRNode) -> nir.NIRGraph:
    """The nodes in a row, the first an Input, an Output behind."""
    named = {f"n{i}": node for i, node in enumerate(nodes)}
    named["out"] = nir.Output({"output": nodes[-1].output_type["output"]})
    return nir.NIRGraph(named, list(pairwise(named)), {"dt": DT}, type_check=False)


@st.composite
def pooled_graphs(draw: st.DrawFn) -> nir.NIRGraph:
    """Input -> a Scale or none -> one or two poolings -> a Scale or none -> Conv2d, Affine or nothing -> neuron."""
    rng = np.random.default_rng(draw(seeds))
    shape: Shape = (2, draw(st.integers(3, 7)), draw(st.integers(3, 7)))
    nodes: list[nir.NIRNode] = [nir.Input({"input": np.array(shape)})]
    if draw(st.booleans()):
        nodes.append(nir.Scale(np.broadcast_to(rng.uniform(0.5, 2, (2, 1, 1)), shape).copy()))
    for _ in range(draw(st.integers(1, 2))):
        kernel, stride, padding = (np.array(draw(s)) for s in (numbers, numbers, paddings))
        size = (np.array(shape[1:]) + 2 * padding - kernel) // stride + 1
        assume(size.min() >= 1)
        nodes.append(draw(st.sampled_from([nir.SumPool2d, nir.AvgPool2d]))(kernel, stride, padding))
        shape = (2, int(size[0]), int(size[1]))
    if draw(st.booleans()):
        nodes.append(nir.Scale(np.broadcast_to(rng.uniform(0.5, 2, (2, 1, 1)), shape).copy()))
    kind = draw(st.sampled_from(["Conv2d", "Affine", "neuron", "flat"]))
    if kind == "Conv2d":
        kernel, stride, dilation, padding = (np.array(draw(s)) for s in (numbers, numbers, paddings, numbers))
        size = (np.array(shape[1:]) + 2 * padding - (dilation + 1) * (kernel - 1) - 1) // stride + 1
        assume(size.min() >= 1)
        groups = draw(st.sampled_from([1, 2]))
        weight, bias = rng.normal(0, 1, (4, 2 // groups, *kernel)), rng.normal(0, 0.3, 4)
        nodes.append(nir.Conv2d(shape[1:], weight, stride, padding, dilation + 1, groups, bias))
        shape = (4, int(size[0]), int(size[1]))
    elif kind == "Affine":
        nodes += [nir.Flatten({"input": np.array(shape)}, 0, -1)]
        nodes += [nir.Affine(rng.normal(0, 1, (3, math.prod(shape))), rng.normal(0, 0.3, 3))]
        shape = (3,)
    elif kind == "flat":
        nodes += [nir.Flatten({"input": np.array(shape)}, 0, -1)]
        shape = (math.prod(shape),)
    return line(*nodes, integrator(shape, rng))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(graph=pooled_graphs(), seed=seeds)
def test_folded_pooling_keeps_every_spike(graph: nir.NIRGraph, seed: int) -> None:
    network = lower_graph(graph)
    x = np.random.default_rng(seed).random((6, *network.inputs[0].shape)) < 0.4
    wanted, nearest = naive.nir_euler(graph, DT, x)
    assume(nearest > 1e-9)
    found, _ = naive.float_network(network, x)
    for name, spikes in wanted.items():
        np.testing.assert_array_equal(found[name], spikes, err_msg=name)


def pool(size: int, stride: int) -> nir.SumPool2d:
    return nir.SumPool2d(np.array([size, size]), np.array([stride, stride]), np.array([0, 0]))


@pytest.mark.parametrize(("width", "composed"), [(6, True), (7, False)])
def test_a_padded_convolution_behind_pooling_keeps_one_kernel_where_that_is_exact(width: int, composed: bool) -> None:
    # of 7 pixels the last is in no window, but the padding of one composed kernel would reach it
    weight = np.ones((3, 2, 3, 3))
    conv = nir.Conv2d((3, 3), weight, (1, 1), (1, 1), (1, 1), 1, np.zeros(3))
    neuron = integrator((3, 3, 3), np.random.default_rng(0))
    connection = lower_graph(line(nir.Input({"input": np.array([2, width, width])}), pool(2, 2), conv, neuron))
    geometry = connection.connections[0].geometry
    assert (geometry is not None) == composed
    if geometry is not None:
        assert (geometry.stride, geometry.padding) == ((2, 2), (2, 2))
        assert connection.connections[0].weights.shape == (3, 2, 6, 6)


def test_pooling_into_a_neuron_is_a_convolution_of_ones_a_channel() -> None:
    neuron = integrator((2, 3, 3), np.random.default_rng(0))
    network = lower_graph(line(nir.Input({"input": np.array([2, 6, 6])}), pool(2, 2), neuron))
    assert network.connections[0].geometry is not None
    assert network.connections[0].geometry.groups == 2
    np.testing.assert_array_equal(network.connections[0].weights, np.ones((2, 1, 2, 2)))


def test_pooling_of_a_vector_is_refused_by_name() -> None:
    neuron = integrator((4,), np.random.default_rng(0))
    with pytest.raises(InputError, match=r"'n1' \(SumPool2d\)"):
        lower_graph(line(nir.Input({"input": np.array([8])}), pool(2, 2), neuron))
