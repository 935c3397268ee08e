"""Float against fixed point: nothing is reported where nothing differs, and what was planted is found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import naive
import nir
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from programs import spikes
from strategies import DT, grid_networks, nir_graphs, seeds

from spikeport.common.errors import InputError
from spikeport.exporter.compile import lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork, FloatPopulation
from spikeport.exporter.float_network.simulator import simulate_float
from spikeport.exporter.program.chip_program import InputPort
from spikeport.exporter.quantisation.dequantise import PARTS, dequantised_network
from spikeport.exporter.quantisation.quantise import quantise
from spikeport.hardware_profiles.fixed_point import WordWidths
from spikeport.lava_runtime import diff as diff_module
from spikeport.lava_runtime.diff import diff
from spikeport.lava_runtime.diff_report import CAUSES
from spikeport.lava_runtime.simulate import simulate

WIDTHS = WordWidths(message_bits=32)
SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def layers(sizes: tuple[int, ...], weights: list[Any], decay: tuple[float, float], threshold: float) -> FloatNetwork:
    """A chain of dense layers "l1", "l2", ... behind "in", with the same constants everywhere."""
    names = ["in", *(f"l{i}" for i in range(1, len(sizes)))]
    populations = tuple(
        FloatPopulation(n, (s,), np.full(s, decay[0]), np.full(s, decay[1]), np.full(s, threshold), np.zeros(s))
        for n, s in zip(names[1:], sizes[1:], strict=True)
    )
    connections = tuple(
        FloatConnection(a, b, np.asarray(w, float), None, 1)
        for a, b, w in zip(names[:-1], names[1:], weights, strict=True)
    )
    return FloatNetwork(DT, (InputPort("in", (sizes[0],)),), populations, connections, (names[-1],))


def random_layers(seed: int) -> FloatNetwork:
    rng = np.random.default_rng(seed)
    return layers((20, 30, 10), [rng.normal(0, 0.4, (30, 20)), rng.normal(0, 0.4, (10, 30))], (0.3, 0.1), 1.0)


@SETTINGS
@given(seed=seeds, density=st.sampled_from([0.1, 0.5, 1.0]))
def test_integers_without_decay_give_equal_spikes(seed: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    weights = [rng.integers(-64, 64, shape) * 2.0 for shape in ((6, 5), (4, 6))]
    for w in weights:
        w[0, :2] = 126, -2
    network = layers((5, 6, 4), weights, (1.0, 0.0), 200.0)
    report = diff(network, quantise(network, "loihi2", WIDTHS), spikes((20, 3, 5), density, seed % 1000))
    assert report.equal and report.same_winner == 1 and report.differing == 0
    assert set(report.causes.values()) == {0} and report.first_layer is None
    assert all(layer.rate_error == 0 for layer in report.layers)


@SETTINGS
@given(pair=grid_networks(), seed=seeds, density=st.sampled_from([0.2, 0.6]))
def test_numbers_on_the_grid_differ_by_the_rounding_of_states_only(pair: Any, seed: int, density: float) -> None:
    network, _ = pair
    program = quantise(network, "loihi2", WIDTHS)
    assume(all(not report.notes for report in program.quantisation.values()))
    x = (np.random.default_rng(seed).random((12, 1, *network.inputs[0].shape)) < density).astype(np.uint8)
    report = diff(network, program, x)
    assert [report.causes[part] for part in PARTS] == [0] * len(PARTS)
    longer = np.concatenate([x[:, 0], np.zeros((program.pipeline_steps, *x.shape[2:]), np.uint8)])
    _, distance = naive.float_network(network, longer)
    # rounding toward zero takes some units of v, against thresholds of 64 * vth units
    if all(np.abs(distance[p.name] * p.vth * 64).min() > 40 for p in program.populations):
        assert report.equal and report.causes["dynamics"] == 0


@pytest.mark.parametrize("bits", [2, 3])
def test_coarse_weights_are_found_to_blame(bits: int) -> None:
    network = random_layers(bits)
    report = diff(
        network, quantise(network, "loihi2", WIDTHS, CompileOptions(weight_bits=bits)), spikes((30, 20, 20), 0.3, 1)
    )
    assert not report.equal and report.differing > 0
    assert max(CAUSES, key=report.share) == "weights" and report.share("weights") > 0.5
    assert sum(report.share(cause) for cause in CAUSES) == pytest.approx(1)


def test_each_planted_rounding_is_found_to_blame() -> None:
    network = random_layers(3)
    program = quantise(network, "loihi2", WIDTHS)
    x = spikes((30, 20, 20), 0.3, 1)
    planted = {
        "decays": {"dv": np.full(30, 1500, np.int32)},
        "thresholds": {"vth": program.populations[0].vth * 2},
        "biases": {"bias_mant": np.full(30, 4000, np.int32), "bias_exp": np.full(30, 3, np.int32)},
    }
    for cause, change in planted.items():
        changed = replace(program.populations[0], **change)
        report = diff(network, replace(program, populations=(changed, program.populations[1])), x)
        assert max(CAUSES, key=report.share) == cause
        assert report.first_layer is report.layers[0] and report.layers[0].share > 0.01


def test_a_decay_too_slow_for_its_word_is_not_blamed_on_the_weights() -> None:
    network = layers((6, 4), [np.full((4, 6), 0.01)], (2.4 / 4096, 0.2), 1.0)
    report = diff(network, quantise(network, "loihi2", WIDTHS), spikes((400, 4, 6), 0.3, 1))
    assert report.causes["decays"] > 0 and report.causes["weights"] == 0


def test_a_wrapped_current_and_a_saturated_voltage_are_reported() -> None:
    network = layers((6, 2), [np.full((2, 6), 1.0)], (1.0, 0.0), 2.0)
    program = quantise(network, "loihi2", WIDTHS)
    heavy = tuple(replace(c, weights=np.full((2, 6), 254, np.int32), weight_exp=7) for c in program.connections)
    x = np.ones((3, 2, 6), np.uint8)
    layer = diff(network, replace(program, connections=heavy), x).layers[0]
    assert layer.u_peak == 6 * 254 * 128 * 64 / 2**23 and layer.u_peak > 1
    assert layer.u_beyond == 3 * 2 * 2  # every sample and neuron in the three steps after the first

    sinking = replace(
        program.populations[0], bias_mant=np.full(2, -4095, np.int32), bias_exp=np.full(2, 7, np.int32)
    )  # fmt: skip
    layer = diff(network, replace(program, populations=(sinking,)), np.zeros((40, 1, 6), np.uint8)).layers[0]
    assert layer.u_beyond == 0 and 40 < layer.v_limited < layer.compared


def test_payloads_that_wrap_u_are_reported() -> None:
    network = layers((6, 2), [np.full((2, 6), 1.0)], (0.5, 0.0), 2.0)
    program = quantise(network, "loihi2", WIDTHS)
    assert diff(network, program, np.ones((9, 1, 6), np.uint8)).layers[0].u_peak <= 1
    layer = diff(network, program, np.full((9, 1, 6), 100_000)).layers[0]
    assert layer.u_peak > 1 and layer.u_beyond > 0


@SETTINGS
@given(graph=nir_graphs(), seed=seeds, bits=st.integers(3, 8))
def test_counts_and_first_divergence_are_those_of_the_arrays(graph: nir.NIRGraph, seed: int, bits: int) -> None:
    network = lower_graph(graph)
    program = quantise(network, "loihi2", WIDTHS, CompileOptions(weight_bits=bits))
    x = (np.random.default_rng(seed).random((8, 2, *network.inputs[0].shape)) < 0.4).astype(np.int32)
    report = diff(network, program, x)
    states = simulate(program, x, steps=report.steps, record="all").states
    for layer in report.layers:
        chip, found = states[f"s/{layer.name}"], layer.first
        assert layer.chip_spikes == chip.sum() and layer.compared == chip.size
        assert (found is None) == (layer.differing == 0)
        assert layer.u_peak == pytest.approx(np.abs(states[f"u/{layer.name}"]).max() / 2**23) and layer.u_beyond == 0
        if found is not None:
            assert chip[(found.step, found.sample, *found.neuron)] == found.chip_spikes


def test_groups_of_samples_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    network = random_layers(5)
    program = quantise(network, "loihi2", WIDTHS, CompileOptions(weight_bits=4))
    x = spikes((12, 7, 20), 0.3, 2)
    whole = diff(network, program, x)
    monkeypatch.setattr(diff_module, "_GROUP", 14 * 40 * 2)
    told: list[tuple[int, int]] = []
    assert diff(network, program, x, progress=lambda done, total: told.append((done, total))) == whole
    # each sample in floating point, on the chip, and once a cause
    runs = 7 * (2 + len(CAUSES))
    assert told[-1] == (runs, runs) and {total for _, total in told} == {runs}
    assert [done for done, _ in told] == sorted({done for done, _ in told}) and len(told) > 2 + len(CAUSES)


def test_a_program_of_another_network_is_refused() -> None:
    network = random_layers(1)
    program = quantise(network, "loihi2", WIDTHS)
    x = spikes((5, 1, 20), 0.3, 1)
    other = replace(network, populations=(replace(network.populations[0], name="x"), network.populations[1]))
    with pytest.raises(InputError, match="x, l2"):
        diff(other, program, x)
    with pytest.raises(InputError, match="'l1' has other synapses"):
        diff(replace(network, connections=network.connections[1:]), program, x)
    with pytest.raises(InputError, match="no scale for population 'l1'"):
        diff(network, replace(program, quantisation={}), x)


def test_a_delay_that_was_changed_is_found_to_blame() -> None:
    network = random_layers(4)
    program = quantise(network, "loihi2", WIDTHS)
    late = tuple(replace(c, delay=c.delay + (c.target == "l2")) for c in program.connections)
    report = diff(network, replace(program, connections=late), spikes((30, 20, 20), 0.3, 1))
    assert max(CAUSES, key=report.share) == "delays"


def test_axonal_delays_split_synapses_and_soft_reset_are_compared() -> None:
    rng = np.random.default_rng(5)
    network = random_layers(5)
    delays = rng.integers(0, 4, 20, dtype=np.int32)
    network = replace(
        network,
        populations=tuple(replace(p, reset="subtract") for p in network.populations),
        connections=(replace(network.connections[0], axonal_delays=delays), network.connections[1]),
    )
    program = quantise(network, "loihi2", WIDTHS)
    assert len(program.connections) > len(network.connections)
    report = diff(network, program, spikes((40, 20, 20), 0.3, 1))
    assert report.causes["delays"] == 0 and report.same_winner > 0.9
    assert all(layer.u_beyond == 0 and 0 < layer.u_peak < 1 for layer in report.layers)
    exact = dequantised_network(program)
    steps = 40 + program.pipeline_steps
    x = spikes((40, 20, 20), 0.3, 1).astype(np.int32)
    wanted = simulate_float(exact, {"in": x}, steps).counts["l2"].sum()
    found = simulate(program, x, steps=steps).neuron_counts["l2"].sum()
    assert found == pytest.approx(wanted, rel=0.02)


@SETTINGS
@given(seed=seeds, fed=st.booleans())
def test_voltages_are_compared_in_the_network_s_units(seed: int, fed: bool) -> None:
    network = random_layers(seed % 1000)
    first, second = network.populations
    graded = replace(first, threshold=np.full(30, np.inf), sends="voltage")
    if not fed:  # the integrators are the answer
        network = replace(network, populations=(graded,), connections=network.connections[:1], outputs=("l1",))
    else:
        network = replace(network, populations=(graded, second))
    x = spikes((25, 10, 20), 0.3, seed % 1000)
    # u's digits are shared by payload and weights: calibration leaves the payload more of them
    report = diff(network, quantise(network, "loihi2", WIDTHS, CompileOptions(calibration=x)), x)
    layer = report.layers[0]
    assert all(layer.u_beyond == 0 for layer in report.layers)
    assert abs(layer.rate_error or 0) < (0.1 if fed else 0.01)
    assert fed or report.same_winner >= 0.9
