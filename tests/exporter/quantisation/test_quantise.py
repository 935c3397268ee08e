"""Rounding: what is on a grid is found again, what is not leaves no register, and the report tells what was lost."""

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
from strategies import DT, grid_networks, nir_graphs, seeds

from spikeport.common.errors import InputError
from spikeport.exporter.compile import compile_graph, lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork, FloatPopulation
from spikeport.exporter.program.chip_program import ChipProgram, InputPort
from spikeport.exporter.quantisation.dequantise import dequantised_network
from spikeport.exporter.quantisation.layer import synapse_names
from spikeport.exporter.quantisation.quantise import quantise
from spikeport.hardware_profiles import load_chip
from spikeport.hardware_profiles.fixed_point import WordWidths, sign_mode

WIDTHS = WordWidths()
SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def one_layer(weights: Any, current_decay: float = 1.0, threshold: float = 1.0, bias: float = 0.0) -> FloatNetwork:
    """Input -> one population with the same constants everywhere."""
    matrix = np.atleast_2d(np.asarray(weights, float))
    size = len(matrix)
    constants = (np.full(size, value) for value in (current_decay, 0.1, threshold, bias))
    return FloatNetwork(
        DT, (InputPort("in", (matrix.shape[1],)),), (FloatPopulation("a", (size,), *constants),),
        (FloatConnection("in", "a", matrix, None, 1),), ("a",),
    )  # fmt: skip


def largest_current(program: ChipProgram, name: str) -> NDArray[np.float64]:
    """The largest |u| of each compartment, all synapses of one sign active in every step."""
    bound = np.zeros((2, program.population(name).size))
    for connection in program.into(name):
        weights = naive.matrix(connection, program) * 2.0**connection.weight_exp * 64
        bound += np.maximum(weights, 0).sum(axis=1), np.maximum(-weights, 0).sum(axis=1)
    return bound.max(axis=0) * 4096 / (program.population(name).du + 1.0)


def effective(program: ChipProgram, name: str) -> list[NDArray[np.float64]]:
    """The incoming weights of a population over its threshold: what its spikes depend on. Parts of a synapse add up."""
    vth = program.population(name).vth[:, None] * 1.0
    synapses: dict[tuple[str, object], NDArray[np.float64]] = {}
    for number, c in enumerate(program.into(name)):
        key = (c.source, c.synapse or number)
        synapses[key] = synapses.get(key, 0.0) + naive.matrix(c, program) * 2.0**c.weight_exp / vth
    return list(synapses.values())


@SETTINGS
@given(pair=grid_networks(biased=False), bits=st.just(8))
def test_weights_that_fill_a_grid_give_the_same_integers(pair: Any, bits: int) -> None:
    network, wanted = pair
    found = quantise(network, "loihi2", WIDTHS, CompileOptions(weight_bits=bits))
    for p in wanted.populations:
        compiled = found.population(p.name)
        np.testing.assert_array_equal(compiled.du, p.du)
        np.testing.assert_array_equal(compiled.dv, p.dv)
        factor = compiled.vth[0] / p.vth[0]
        assert np.log2(factor) == round(np.log2(factor))
        np.testing.assert_array_equal(compiled.vth, p.vth * factor)
        for ours, theirs in zip(found.into(p.name), wanted.into(p.name), strict=True):
            ratio = 2.0 ** (ours.weight_exp - theirs.weight_exp) / factor
            np.testing.assert_array_equal(naive.matrix(ours, found) * ratio, naive.matrix(theirs, wanted))


@SETTINGS
@given(data=st.data(), bits=st.integers(2, 8), full=st.booleans())
def test_weights_on_a_grid_lose_nothing(data: st.DataObject, bits: int, full: bool) -> None:
    network, wanted = data.draw(grid_networks(bits=bits, full=full))
    # file formats keep 32 bit: the grid must be found through their rounding too
    rounded = replace(network, connections=tuple(
        replace(c, weights=c.weights.astype(np.float32).astype(float)) for c in network.connections
    ))  # fmt: skip
    found = quantise(rounded, "loihi2", WIDTHS, CompileOptions(weight_bits=bits))
    for p in wanted.populations:
        for ours, theirs in zip(effective(found, p.name), effective(wanted, p.name), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9)
        ratio = found.population(p.name).vth / p.vth
        np.testing.assert_allclose(found.population(p.name).bias, p.bias * ratio, rtol=1e-6)


@SETTINGS
@given(seed=seeds, bits=st.integers(2, 8), inputs=st.integers(1, 400), spread=st.integers(-3, 3))
def test_the_largest_input_leaves_u_in_its_register(seed: int, bits: int, inputs: int, spread: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.choice([rng.normal(0, 1, (3, inputs)), rng.uniform(0, 1, (3, inputs)), np.full((3, inputs), 0.3)])
    network = one_layer(weights * 10.0**spread, current_decay=10.0 ** rng.uniform(-3.5, 0))
    program = quantise(network, "loihi2", WIDTHS, CompileOptions(weight_bits=bits))
    assert largest_current(program, "a").max() <= WIDTHS.state_max
    largest = largest_current(program, "a").max()
    assert program.quantisation["a"].current_bound == pytest.approx(largest / WIDTHS.state_max)


@SETTINGS
@given(graph=nir_graphs(), bits=st.integers(2, 8))
def test_compiled_graphs_leave_u_in_its_register(graph: nir.NIRGraph, bits: int) -> None:
    program = compile_graph(graph, load_chip("loihi2"), CompileOptions(weight_bits=bits))
    for p in program.populations:
        assert largest_current(program, p.name).max() <= WIDTHS.state_max


@SETTINGS
@given(graph=nir_graphs(), bits=st.integers(2, 8))
def test_the_report_bounds_what_rounding_did(graph: nir.NIRGraph, bits: int) -> None:
    network = lower_graph(graph)
    program = quantise(network, "loihi2", WIDTHS, CompileOptions(weight_bits=bits))
    for p in network.populations:
        report, compiled = program.quantisation[p.name], program.population(p.name)
        incoming = [c for c in network.connections if c.target == p.name]
        if not incoming:  # a bias axon
            continue
        held = dequantised_network(program)
        errors, largest = [], 0.0
        for c, name in zip(incoming, synapse_names(incoming), strict=True):
            rows = np.asarray(c.weights).reshape(len(c.weights), -1)
            charge = ((compiled.du + 1) / 4096 / p.current_decay).reshape(len(rows), -1).mean(axis=1)
            wanted = rows * charge[:, None]
            # the parts of one synapse add up
            ends = p.name, c.source, name
            parts = [h.weights for h in held.connections if (h.target, h.source, h.synapse) == ends]
            arrays = [w.toarray() if isinstance(w, csr_array) else w for w in parts]
            found = sum(a.reshape(rows.shape) for a in arrays) / report.scale
            errors.append(np.abs(found - wanted).max())
            largest = max(largest, np.abs(wanted).max())
        worst = max(errors)
        assert report.weight_error_max == pytest.approx(worst / largest, abs=1e-12)
        assert report.weight_error_rms <= report.weight_error_max + 1e-12
        thresholds = np.abs(compiled.vth * 64 / report.scale - p.threshold) / p.threshold
        assert report.vth_error == pytest.approx(thresholds.max(), abs=1e-12)
        # the population's largest threshold is exact
        assert thresholds[p.threshold.argmax()] <= 1e-9 or report.notes


def test_a_weight_of_one_sign_left_over_by_rounding_stays_in_its_grid() -> None:
    for bits in range(2, 9):
        for small in (1e-9, 1e-3, 0.0):
            for sign in (1, -1):
                program = quantise(
                    one_layer([[-sign, sign * small]]), "loihi2", WIDTHS, CompileOptions(weight_bits=bits)
                )
                assert sign_mode(program.connections[0].weights) != "mixed" or small > 0


def test_a_rounded_current_decay_keeps_the_charge_of_a_spike() -> None:
    decay = 2.4 / 4096
    program = quantise(one_layer([[0.001]], current_decay=decay), "loihi2", WIDTHS)
    population, synapse = program.populations[0], program.connections[0]
    charge = synapse.weights[0, 0] * 2.0**synapse.weight_exp * 4096 / (population.du[0] + 1) / population.vth[0]
    assert charge == pytest.approx(0.001 / decay, rel=0.01)


def test_a_threshold_too_small_for_its_weights_still_never_wraps() -> None:
    program = quantise(one_layer(np.full((1, 50), 1000.0), threshold=1e-3), "loihi2", WIDTHS)
    assert program.populations[0].vth[0] == 1
    assert largest_current(program, "a").max() <= WIDTHS.state_max
    assert (program.connections[0].weights > 0).all()


def test_a_silent_network_compiles() -> None:
    program = quantise(one_layer(np.zeros((2, 3))), "loihi2", WIDTHS)
    assert not program.connections[0].weights.any()


@pytest.mark.parametrize("bits", [0, 1, 9])
def test_a_weight_width_out_of_reach_is_refused(bits: int) -> None:
    with pytest.raises(InputError, match=rf"weights of {bits} bit.*2 to 8"):
        quantise(one_layer([[1.0]]), "loihi2", WIDTHS, CompileOptions(weight_bits=bits))


@pytest.mark.parametrize(("leak", "depth"), [(0.1, 128), (0.02, 400), (0.001, 8000)])
def test_far_inhibition_does_not_take_the_bits_below_the_threshold(leak: float, depth: float) -> None:
    # 3 inhibitory synapses in every step would take v to -6 / leak
    network = one_layer([[-1.0, -1.0, -1.0, 1.0]], current_decay=0.5, threshold=0.05)
    population = replace(network.populations[0], voltage_decay=np.full(1, leak))
    program = quantise(replace(network, populations=(population,)), "loihi2", WIDTHS)
    held = WIDTHS.state_max / (64 * int(program.populations[0].vth[0]))  # type: ignore[attr-defined]
    assert 0.99 * depth < held < 1.1 * depth
    report = program.quantisation["a"]
    assert report.voltage_bound == pytest.approx(6 / 0.05 / leak / held, rel=0.05)
    assert "it stays at" in report.notes[0]


@pytest.mark.parametrize("bias", [0.0, -20.0])
def test_v_has_room_where_it_does_not_leak_and_where_it_rests(bias: float) -> None:
    network = one_layer([[-0.5] * 8], bias=bias)
    leaking = quantise(network, "loihi2", WIDTHS)
    vth = int(leaking.populations[0].vth[0])  # type: ignore[attr-defined]
    assert WIDTHS.state_max / (64 * vth) >= 0.99 * max(40.0, -bias / 0.1)
    still = replace(network.populations[0], voltage_decay=np.zeros(1))
    program = quantise(replace(network, populations=(still,)), "loihi2", WIDTHS)
    # weights at exponent 0: no bit of v is spent on less than they hold
    assert program.connections[0].weight_exp == 0


def test_doubled_synapses_are_finer_where_v_does_not_leak() -> None:
    rng = np.random.default_rng(0)
    network = one_layer(rng.normal(0, 1, (8, 200)))
    still = replace(network.populations[0], voltage_decay=np.zeros(8))
    network = replace(network, populations=(still,))
    normal, high = (quantise(network, "loihi2", WIDTHS, CompileOptions(precision=p)) for p in ("normal", "high"))  # type: ignore[arg-type]
    assert high.quantisation["a"].weight_error_rms < normal.quantisation["a"].weight_error_rms / 4
    # v ends 128 thresholds from 0, which the report says
    assert WIDTHS.state_max / (64 * int(high.populations[0].vth[0])) >= 0.99 * 128  # type: ignore[attr-defined]
    assert "it stays at" in high.quantisation["a"].notes[0]
