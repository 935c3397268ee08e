"""The float reference: NIR's equations as tests/support/referees/naive.py writes them, shifted by the chip's timing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import naive
import nir
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array
from strategies import nir_graphs, seeds

from spikeport.exporter.compile import lower_graph
from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork, FloatPopulation
from spikeport.exporter.float_network.simulator import simulate_float
from spikeport.exporter.program.chip_program import InputPort, arrival_steps

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NEAR = 1e-9


def flat(x: NDArray[np.int32]) -> NDArray[np.int32]:
    return x.reshape(*x.shape[:2], -1)


@SETTINGS
@given(graph=nir_graphs(max_neurons=16), seed=seeds, batch=st.integers(1, 3), density=st.sampled_from([0.1, 0.5, 1.0]))
def test_spikes_equal_the_plain_simulation_each_layer_as_late_as_on_the_chip(
    graph: nir.NIRGraph, seed: int, batch: int, density: float
) -> None:
    network = lower_graph(graph)
    steps, port = 10, network.inputs[0]
    x = (np.random.default_rng(seed).random((steps, batch, *port.shape)) < density).astype(np.int32)
    latency = arrival_steps(network.inputs, network.connections)
    found = simulate_float(network, {port.name: flat(x)}, steps + max(latency.values()), "all")
    for sample in range(batch):
        wanted, distance = naive.float_network(network, x[:, sample])
        if min(np.abs(d).min() for d in distance.values()) < NEAR:
            continue  # sums in another order may decide such a spike otherwise
        for p in network.populations:
            late = latency.get(p.name, 0)  # a bias axon has no input to run behind
            np.testing.assert_array_equal(found.spikes[p.name][late : late + steps, sample], wanted[p.name])
            assert not found.spikes[p.name][:late].any() and not found.v[p.name][:late].any()
            voltage = np.where(wanted[p.name] > 0, 0, (distance[p.name] + 1) * p.threshold)
            np.testing.assert_allclose(found.v[p.name][late : late + steps, sample], voltage, atol=1e-9)


@SETTINGS
@given(graph=nir_graphs(max_neurons=12), seed=seeds)
def test_counts_are_those_of_the_spikes(graph: nir.NIRGraph, seed: int) -> None:
    network = lower_graph(graph)
    port = network.inputs[0]
    x = {port.name: np.random.default_rng(seed).integers(0, 2, (8, 2, port.size), dtype=np.int32)}
    kept, counted = simulate_float(network, x, 8, "spikes"), simulate_float(network, x, 8, "counts")
    assert not kept.u and not counted.spikes
    for name, spikes in kept.spikes.items():
        np.testing.assert_array_equal(spikes.sum(axis=0), counted.counts[name])


@pytest.mark.parametrize("delay", [1, 2, 5])
def test_a_delay_is_kept_and_u_and_v_are_recorded(delay: int) -> None:
    one = np.ones(1)
    network = FloatNetwork(
        1e-3, (InputPort("in", (1,)),), (FloatPopulation("a", (1,), 0.5 * one, 0.25 * one, 9 * one, 0.125 * one),),
        (FloatConnection("in", "a", np.array([[3.0]]), None, delay),), ("a",),
    )  # fmt: skip
    found = simulate_float(network, {"in": np.array([[[2]]], np.int32)}, delay + 3, "all")
    u = [0.0] * delay + [6.0, 3.0, 1.5]
    np.testing.assert_array_equal(found.u["a"][:, 0, 0], u)
    # 6.125, then 0.75 * 6.125 + 3 + 0.125 = 7.71875, then 0.75 * 7.71875 + 1.625
    np.testing.assert_array_equal(found.v["a"][:, 0, 0], [0.0] * delay + [6.125, 7.71875, 7.4140625])
    assert found.counts["a"].sum() == 0


def one_neuron(connection: FloatConnection, **fields: Any) -> FloatNetwork:
    """An input of two axons and one neuron that keeps half of u and of v."""
    numbers = {"current_decay": 0.5, "voltage_decay": 0.5, "threshold": 4.0, "bias": 0.0} | {
        name: fields.pop(name) for name in ("threshold", "bias") if name in fields
    }
    constants = {name: np.full(1, value) for name, value in numbers.items()}
    return FloatNetwork(
        1e-3, (InputPort("in", (2,)),), (FloatPopulation("a", (1,), **constants, **fields),), (connection,), ("a",)
    )


def pulse(*values: int) -> dict[str, NDArray[np.int32]]:
    return {"in": np.array(values, np.int32).reshape(1, 1, 2)}


def test_a_neuron_that_sends_its_voltage_sends_it_in_every_step() -> None:
    link = FloatConnection("in", "a", np.array([[1.0, 2.0]]), None, 1)
    found = simulate_float(one_neuron(link, sends="voltage", threshold=np.inf), pulse(2, 1), 4, "all")
    np.testing.assert_array_equal(found.spikes["a"][:, 0, 0], [0, 4, 4, 3])  # u = 4 2 1
    np.testing.assert_array_equal(found.spikes["a"], found.v["a"])
    np.testing.assert_array_equal(found.counts["a"], [[11.0]])


def test_reset_by_subtraction_keeps_what_is_above_the_threshold() -> None:
    link = FloatConnection("in", "a", np.array([[10.0, 0.0]]), None, 1)
    found = simulate_float(one_neuron(link, reset="subtract"), pulse(1, 0), 4, "all")
    # 10 - 4, then 3 + 5 - 4, then 2 + 2.5 - 4
    np.testing.assert_array_equal(found.v["a"][:, 0, 0], [0, 6, 4, 0.5])
    np.testing.assert_array_equal(found.spikes["a"][:, 0, 0], [0, 1, 1, 1])


def test_a_start_voltage_waits_for_the_start() -> None:
    link = FloatConnection("in", "a", np.array([[0.0, 0.0]]), None, 3)
    network = one_neuron(link, v_initial=np.array([2.0]), bias=1.0)
    np.testing.assert_array_equal(simulate_float(network, pulse(1, 1), 5, "all").v["a"][:, 0, 0], [2, 2, 2, 2, 2])
    early = replace(network, populations=(replace(network.populations[0], start=1, bias=np.zeros(1)),))
    np.testing.assert_array_equal(
        simulate_float(early, pulse(1, 1), 5, "all").v["a"][:, 0, 0], [2, 1, 0.5, 0.25, 0.125]
    )


def test_axons_have_delays_of_their_own_and_a_matrix_may_be_sparse() -> None:
    weights = np.array([[1.0, 3.0]])
    link = FloatConnection("in", "a", weights, None, 1, axonal_delays=np.array([2, 0], np.int32))
    dense = simulate_float(one_neuron(link, threshold=99.0), pulse(1, 1), 5, "all")
    np.testing.assert_array_equal(dense.u["a"][:, 0, 0], [0, 3, 1.5, 1.75, 0.875])
    sparse = one_neuron(replace(link, weights=csr_array(weights)), threshold=99.0)
    np.testing.assert_array_equal(simulate_float(sparse, pulse(1, 1), 5, "all").v["a"], dense.v["a"])
