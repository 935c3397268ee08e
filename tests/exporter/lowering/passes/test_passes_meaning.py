"""Every pass keeps the float meaning, by random graphs before and after it in the NIR reference; what each makes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import nir
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from nir_strategies import any_graphs, spikes_for
from strategies import DT, seeds

from benchmarks.nir_simulator import simulate_nir
from spikeport.exporter.compile import lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.float_network.simulator import simulate_float
from spikeport.exporter.lowering.balance_delays import balance_delays
from spikeport.exporter.lowering.passes import PASSES
from spikeport.exporter.lowering.passes.conv1d_as_conv2d import conv1d_as_conv2d
from spikeport.exporter.lowering.passes.drop_dead import drop_dead
from spikeport.exporter.lowering.passes.drop_flatten import drop_flatten
from spikeport.exporter.lowering.passes.fold_constants import fold_constants
from spikeport.exporter.lowering.passes.fold_gain import fold_gain
from spikeport.exporter.lowering.passes.infer_shapes import infer_shapes
from spikeport.exporter.lowering.passes.merge_synapses import merge_synapses
from spikeport.exporter.lowering.passes.shift_reset import shift_reset


@pytest.mark.parametrize("name", list(PASSES))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(graph=any_graphs(), seed=seeds, reset=st.sampled_from(["zero", "subtract", "subtract_after_decay"]))
def test_a_pass_keeps_what_every_neuron_and_output_sends(name: str, graph: nir.NIRGraph, seed: int, reset: str) -> None:
    for earlier in list(PASSES)[: list(PASSES).index(name)]:
        graph = PASSES[earlier](graph)
    inputs = spikes_for(graph, 8, 2, seed, 0.4)
    wanted = simulate_nir(graph, inputs, reset=reset)  # type: ignore[arg-type]
    assume(wanted.nearest > 1e-6)
    edges, fields = list(graph.edges), {n: dict(vars(node)) for n, node in graph.nodes.items()}
    found = simulate_nir(PASSES[name](graph), inputs, reset=reset)  # type: ignore[arg-type]
    for ours, theirs in ((found.outputs, wanted.outputs), (found.sent, wanted.sent)):
        for node in set(ours) & set(theirs):
            np.testing.assert_allclose(ours[node].reshape(theirs[node].shape), theirs[node], atol=1e-9, err_msg=node)
    assert set(found.outputs) == set(wanted.outputs)
    # and leaves the graph it was given as it was
    assert graph.edges == edges
    assert all(vars(node)[f] is v for n, node in graph.nodes.items() for f, v in fields[n].items())


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(graph=any_graphs(), seed=seeds, reset=st.sampled_from(["zero", "subtract", "subtract_after_decay"]))
def test_a_leak_in_the_bias_keeps_what_every_population_sends(graph: nir.NIRGraph, seed: int, reset: str) -> None:
    inputs = spikes_for(graph, 8, 2, seed, 0.4)
    assume(simulate_nir(graph, inputs, reset=reset).nearest > 1e-6)  # type: ignore[arg-type]
    seen: dict[str, Any] = {}
    lower_graph(graph, CompileOptions(reset=reset), on_pass=seen.__setitem__)  # type: ignore[arg-type]
    lowered, folded = (balance_delays(seen[name]) for name in ("lower", "fold_leak"))
    assert not any(p.v_leak.any() for p in folded.populations)
    flat = {name: x.reshape(*x.shape[:2], -1) for name, x in inputs.items()}
    wanted, found = (simulate_float(network, flat, 20) for network in (lowered, folded))
    for name, sent in wanted.spikes.items():
        np.testing.assert_allclose(found.spikes[name], sent, atol=1e-9, err_msg=name)


def line(shape: tuple[int, ...], *middle: nir.NIRNode) -> nir.NIRGraph:
    out = nir.Output(output_type={"output": np.array([1])})
    nodes = {"in": nir.Input({"input": np.array(shape)}), **{f"n{i}": n for i, n in enumerate(middle)}, "out": out}
    return nir.NIRGraph(nodes, list(pairwise(nodes)), {"dt": DT}, type_check=False)


def lif(size: int, **fields: float) -> nir.LIF:
    values = {"tau": 5e-3, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0} | fields
    return nir.LIF(**{name: np.full(size, value) for name, value in values.items()})


def conv(weight: np.ndarray, padding: object = 0, groups: int = 1, stride: int = 1, dilation: int = 1) -> nir.Conv2d:
    bias = np.arange(1.0, len(weight) + 1)
    return nir.Conv2d(None, weight, (stride, stride), padding, (dilation, dilation), groups, bias)


def test_one_constant_for_all_becomes_one_a_neuron() -> None:
    graph = infer_shapes(line((4,), nir.Linear(np.ones((3, 4))), lif(1, tau=2e-3)))
    np.testing.assert_array_equal(graph.nodes["n1"].tau, np.full(3, 2e-3))
    np.testing.assert_array_equal(graph.nodes["out"].output_type["output"], [3])


@pytest.mark.parametrize(("kernel", "dilation"), [(3, 1), (2, 1), (2, 3), (4, 1), (3, 2)])
def test_same_padding_keeps_the_size(kernel: int, dilation: int) -> None:
    weight = np.random.default_rng(0).normal(size=(2, 1, kernel, kernel))
    graph = line((1, 9, 9), conv(weight, "same", dilation=dilation))
    made = infer_shapes(graph)
    assert not isinstance(made.nodes["n0"].padding, str)
    np.testing.assert_array_equal(made.nodes["n0"].output_type["output"], [2, 9, 9])
    inputs = spikes_for(graph, 2, 1, 0, 0.5)
    wanted, found = (simulate_nir(net, inputs).outputs["out"] for net in (graph, made))
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_a_conv1d_is_a_conv2d_of_height_1() -> None:
    node = nir.Conv1d(7, np.ones((2, 3, 2)), 2, 1, 1, 1, np.zeros(2))
    made = conv1d_as_conv2d(line((3, 7), node)).nodes["n0"]
    assert made.weight.shape == (2, 3, 1, 2)
    assert (made.stride, made.padding, made.dilation) == ((1, 2), (0, 1), (1, 1))


def test_flatten_and_no_delay_are_wires() -> None:
    graph = drop_flatten(line((2, 2), nir.Flatten({"input": np.array([2, 2])}, 0, -1), nir.Delay(np.zeros(4)), lif(4)))
    assert set(graph.nodes) == {"in", "n2", "out"}
    assert set(graph.edges) == {("in", "n2"), ("n2", "out")}


def test_a_reset_is_shifted_to_0() -> None:
    node = shift_reset(line((1,), lif(1, v_reset=-0.5, v_leak=0.25))).nodes["n0"]
    assert (node.v_reset, node.v_threshold, node.v_leak, node.metadata["v_initial"]) == (0, 1.5, 0.75, 0.5)


def test_gains_go_into_thresholds_and_their_signs_before_the_neuron() -> None:
    graph = fold_gain(line((2,), lif(2, r=-4.0, v_leak=2.0)))
    np.testing.assert_array_equal(graph.nodes["n0"].v_threshold, [0.25, 0.25])
    np.testing.assert_array_equal(graph.nodes["n0"].v_leak, [0.5, 0.5])
    np.testing.assert_array_equal(graph.nodes["n0.gain"].scale, [-1, -1])
    voltage = fold_gain(line((2,), nir.LI(np.full(2, 5e-3), np.array([3.0, 0.0]), np.ones(2))))
    np.testing.assert_array_equal(voltage.nodes["n0.gain"].scale, [3, 0])
    np.testing.assert_array_equal(voltage.nodes["n0"].v_leak, [1, 1])


def test_what_leads_nowhere_and_what_sends_nothing_goes() -> None:
    graph = line((2,), lif(2))
    graph.nodes |= {"aside": lif(2), "silent": lif(2), "leaky": lif(2, v_leak=3.0), "far": nir.Linear(np.eye(2))}
    graph.edges += [("n0", "aside"), ("silent", "far"), ("far", "n0"), ("leaky", "n0")]
    assert set(drop_dead(graph).nodes) == {"in", "n0", "out", "leaky"}


def test_batch_normalisation_goes_into_the_kernel() -> None:
    weight = np.random.default_rng(0).normal(size=(2, 1, 3, 3))
    factors, bias = np.repeat([2.0, -3.0], 4), np.repeat([0.5, 0.25], 4)
    graph = infer_shapes(line((1, 4, 4), conv(weight), nir.Affine(np.diag(factors), bias), lif(8)))
    merged = merge_synapses(graph).nodes["n1"]
    np.testing.assert_allclose(merged.weight, weight * np.array([2.0, -3.0])[:, None, None, None])
    np.testing.assert_allclose(merged.bias, [1 * 2 + 0.5, 2 * -3 + 0.25])


def test_a_1x1_convolution_merges_and_groups_stay_where_they_can() -> None:
    rng = np.random.default_rng(0)
    depthwise = infer_shapes(
        line((2, 5, 5), conv(rng.normal(size=(2, 1, 3, 3)), 1, 2), conv(rng.normal(size=(2, 1, 1, 1)), 0, 2))
    )
    merged = merge_synapses(depthwise).nodes["n1"]
    assert (merged.groups, merged.weight.shape, merged.padding) == (2, (2, 1, 3, 3), (1, 1))
    # the padding of the second would need the first one's bias
    biased = infer_shapes(line((2, 5, 5), conv(rng.normal(size=(2, 2, 1, 1))), conv(rng.normal(size=(2, 2, 3, 3)), 1)))
    assert set(merge_synapses(biased).nodes) == {"in", "n0", "n1", "out"}


def test_a_synapse_of_zeros_is_a_bias_of_the_one_beside_it() -> None:
    graph = line((2,), nir.Linear(np.ones((3, 2))), lif(3))
    graph.nodes["zero"] = nir.Affine(np.zeros((3, 2)), np.array([1.0, 2.0, 3.0]))
    graph.edges += [("in", "zero"), ("zero", "n1")]
    folded = fold_constants(graph)
    assert "zero" not in folded.nodes
    np.testing.assert_array_equal(folded.nodes["n0"].bias, [1, 2, 3])
