"""Lowering keeps every spike: NIR's equations by forward Euler beside the lowered network, both in float64."""

from __future__ import annotations

from itertools import pairwise

import naive
import nir
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import DT, integrator, lif, nir_graphs, seeds

from spikeport.common.errors import InputError
from spikeport.exporter.compile import compile_graph, lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.hardware_profiles import load_chip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graph=nir_graphs(), seed=seeds, density=st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_a_lowered_network_spikes_as_nirs_equations_say(graph: nir.NIRGraph, seed: int, density: float) -> None:
    network = lower_graph(graph)
    shape = network.inputs[0].shape
    x = np.random.default_rng(seed).random((12, *shape)) < density
    wanted, nearest = naive.nir_euler(graph, DT, x)
    # nearer to a threshold than this, float64 itself decides
    assume(nearest > 1e-9)
    found, _ = naive.float_network(network, x)
    assert {name for name in found if not name.endswith(".bias")} == set(wanted)
    for name, spikes in wanted.items():
        np.testing.assert_array_equal(found[name], spikes, err_msg=name)


def test_every_constant_stays_its_own_neurons() -> None:
    rng = np.random.default_rng(0)
    node = lif((5,), rng, filtered=True)
    graph = chain(nir.Linear(weight=rng.normal(size=(5, 3))), node)
    population = lower_graph(graph).populations[0]
    np.testing.assert_allclose(population.current_decay, DT / node.tau_syn)
    np.testing.assert_allclose(population.voltage_decay, DT / node.tau_mem)
    gain = DT / node.tau_syn * node.w_in * (DT / node.tau_mem) * node.r
    np.testing.assert_allclose(population.threshold, node.v_threshold / gain)
    np.testing.assert_allclose(population.bias, DT / node.tau_mem * node.v_leak / gain)


def test_an_if_neurons_gain_is_r_whatever_the_time_step() -> None:
    node = integrator((5,), np.random.default_rng(0))
    graph = chain(nir.Affine(weight=np.ones((5, 3)), bias=np.arange(5.0)), node)
    for dt in (DT, 1e-4):
        population = lower_graph(graph, CompileOptions(dt=dt)).populations[0]
        np.testing.assert_array_equal(population.voltage_decay, 0)
        np.testing.assert_array_equal(population.current_decay, 1)
        np.testing.assert_allclose(population.threshold, node.v_threshold / node.r)
        np.testing.assert_allclose(population.bias, np.arange(5.0))
    compiled = compile_graph(graph, load_chip("loihi2")).populations[0]
    assert set(compiled.dv) == {0}
    assert set(compiled.du) == {4095}


def test_two_affine_biases_of_one_neuron_add_up_once_each() -> None:
    rng = np.random.default_rng(1)
    node = lif((2,), rng, filtered=False)
    node.v_leak[:] = 0
    shape = {"input": np.array([3])}
    graph = nir.NIRGraph(
        nodes={
            "in": nir.Input(input_type=shape),
            "again": nir.Input(input_type=shape),
            "first": nir.Affine(weight=np.ones((2, 3)), bias=np.array([1.0, 2.0])),
            "second": nir.Affine(weight=np.ones((2, 3)), bias=np.array([10.0, 20.0])),
            "a": node,
            "out": nir.Output(output_type={"output": np.array([2])}),
        },
        # one synapse that two sources feed: its bias counts once
        edges=[("in", "first"), ("in", "second"), ("again", "second"), ("first", "a"), ("second", "a"), ("a", "out")],
        metadata={"dt": DT},
    )
    network = lower_graph(graph)
    np.testing.assert_allclose(network.populations[0].bias, [11.0, 22.0])
    assert [(c.source, c.target) for c in network.connections] == [("in", "a"), ("in", "a"), ("again", "a")]


def test_a_flattened_image_meets_its_weights_in_c_order() -> None:
    rng = np.random.default_rng(2)
    weight = rng.normal(size=(4, 12))
    graph = chain(nir.Linear(weight=weight), lif((4,), rng, False), shape=(2, 3, 2))
    found = lower_graph(graph)
    np.testing.assert_array_equal(found.connections[0].weights, weight)
    assert found.inputs[0].shape == (2, 3, 2)


def test_a_filter_shorter_than_a_step_is_gone_by_the_next() -> None:
    node = lif((2,), np.random.default_rng(3), filtered=True)
    node.tau_syn[:] = DT / 10
    assert lower_graph(chain(nir.Linear(weight=np.ones((2, 3))), node)).populations[0].current_decay == pytest.approx(1)


def test_dt_given_beats_the_metadata() -> None:
    graph = chain(nir.Linear(weight=np.ones((2, 3))), lif((2,), np.random.default_rng(4), False))
    assert lower_graph(graph).dt == DT
    assert lower_graph(graph, CompileOptions(dt=1e-4)).dt == 1e-4
    with pytest.raises(InputError, match="--dt"):
        lower_graph(graph, CompileOptions(dt=0.0))


def chain(synapse: nir.NIRNode, neuron: nir.NIRNode, shape: tuple[int, ...] = (3,)) -> nir.NIRGraph:
    """Input, Flatten, synapse, neuron, Output."""
    size = {"output": neuron.output_type["output"]}
    nodes = {
        "in": nir.Input(input_type={"input": np.array(shape)}),
        "flat": nir.Flatten({"input": np.array(shape)}, start_dim=0, end_dim=-1),
        "synapse": synapse,
        "a": neuron,
        "out": nir.Output(output_type=size),
    }
    names = list(nodes)
    return nir.NIRGraph(nodes=nodes, edges=list(pairwise(names)), metadata={"dt": DT})
