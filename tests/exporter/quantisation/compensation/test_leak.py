"""A rounded leak: thresholds and weights make up for it, exactly where the input is constant, nearly elsewhere."""

from __future__ import annotations

from typing import Literal

import nir
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from programs import spikes
from strategies import DT

from spikeport.exporter.compile import compile_graph, lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork, FloatPopulation, Floats, Reset
from spikeport.exporter.float_network.simulator import simulate_float
from spikeport.exporter.program.chip_program import ChipProgram, InputPort
from spikeport.exporter.quantisation import layer
from spikeport.exporter.quantisation.compensation.leak import leak_factors
from spikeport.exporter.quantisation.dequantise import substitute_quantised
from spikeport.exporter.quantisation.layer import LayerOptions
from spikeport.exporter.quantisation.quantise import assemble, quantise_layers
from spikeport.hardware_profiles import load_chip
from spikeport.hardware_profiles.fixed_point import WordWidths, dv_from_decay
from spikeport.lava_runtime.simulate import simulate

WIDTHS = WordWidths(message_bits=32)
decays = st.floats(1e-3, 0.03)
# the interval between two spikes, in time constants
intervals = st.floats(0.1, 1.5)


def one_layer(
    decay: Floats, threshold: Floats, bias: Floats, reset: Reset, sends: Literal["spikes", "voltage"]
) -> FloatNetwork:
    """An input of one element -> neurons, by weights of 1 that are exact on the chip."""
    size = len(decay)
    population = FloatPopulation("a", (size,), np.ones(size), decay, threshold, bias, reset=reset, sends=sends)
    return FloatNetwork(
        DT, (InputPort("in", (1,)),), (population,), (FloatConnection("in", "a", np.ones((size, 1)), None, 1),), ("a",)
    )


def rounded(network: FloatNetwork, interval: float | None) -> ChipProgram:
    options = {"a": LayerOptions(8, interval=interval)}
    return assemble(network, "loihi2", WIDTHS, quantise_layers(network, WIDTHS, options))


def ones(steps: int) -> dict[str, NDArray[np.int32]]:
    return {"in": np.ones((steps, 1, 1), np.int32)}


@settings(max_examples=40, deadline=None)
@given(decay=decays, waits=intervals, reset=st.sampled_from(["zero", "subtract"]))
def test_a_rounded_leak_leaves_the_spikes_of_a_constant_input_in_their_steps(
    decay: float, waits: float, reset: Reset
) -> None:
    steps = max(2, round(waits / decay))
    # v stands between these two after one step less and after all of them
    below, above = ((1 - (1 - decay) ** n) / decay for n in (steps - 1, steps))
    each = np.ones(1)
    network = one_layer(each * decay, each * (below + above) / 2, each * 0, reset, "spikes")
    held = substitute_quantised(network, rounded(network, steps), "decays")
    wanted, found = (simulate_float(n, ones(2 * steps + 2), steps + 1).spikes["a"] for n in (network, held))
    assert np.flatnonzero(wanted[:, 0, 0]).tolist() == [steps]
    np.testing.assert_array_equal(found, wanted)


@settings(max_examples=40, deadline=None)
@given(decay=decays, waits=intervals, bias=st.floats(-0.5, 0.5))
def test_a_voltage_that_is_sent_comes_to_the_same_height(decay: float, waits: float, bias: float) -> None:
    steps, each = max(2, round(waits / decay)), np.ones(1)
    network = one_layer(each * decay, each * np.inf, each * bias, "zero", "voltage")
    # without a sample it is exact after a time constant
    for interval, after in ((float(steps), steps), (None, round(1 / decay))):
        program = rounded(network, interval)
        held = substitute_quantised(network, program, "decays")
        wanted, found = (simulate_float(n, ones(after + 1), after + 1).spikes["a"] for n in (network, held))
        np.testing.assert_allclose(found[-1], wanted[-1], rtol=1e-9 if interval else 1e-3)
        # half a step of the bias at this scale is a hair over 1e-4: 1.00015e-4 was drawn
        np.testing.assert_allclose(
            substitute_quantised(network, program, "biases").populations[0].bias, bias, atol=1.01e-4
        )


@settings(max_examples=100, deadline=None)
@given(word=st.integers(0, 4095), interval=st.floats(1, 1e5), sends=st.sampled_from(["spikes", "voltage"]))
def test_a_whole_decay_needs_nothing(word: int, interval: float, sends: Literal["spikes", "voltage"]) -> None:
    decay = np.float32([word / 4096]).astype(np.float64) * (1 + 1e-8)
    each = np.ones(1)
    population = FloatPopulation("a", (1,), each, decay, each, each * 0, sends=sends)
    for given_interval in (interval, None):
        assert leak_factors(population, dv_from_decay(decay), given_interval) == 1


def test_a_leak_too_slow_for_the_chip_is_made_up_for_by_the_threshold() -> None:
    each = np.ones(1)
    network = one_layer(each * 1e-4, each * 5000.0, each * 0, "zero", "spikes")
    steps = 7000
    program = rounded(network, steps)
    assert program.population("a").dv[0] == 0
    held = substitute_quantised(network, program, "decays")
    assert held.populations[0].threshold[0] == pytest.approx(5000 * steps * 1e-4 / -np.expm1(steps * np.log1p(-1e-4)))
    # what rounding the threshold's word adds is less than a word
    words = substitute_quantised(network, program, "thresholds").populations[0].threshold
    assert abs(words[0] / 5000 - 1) < 1 / program.population("a").vth[0]


def test_without_a_sample_thresholds_stay() -> None:
    each = np.ones(2)
    network = one_layer(np.array([1.3e-3, 0.7]), each * 20, each * 0, "zero", "spikes")
    held = substitute_quantised(network, rounded(network, None), "decays")
    np.testing.assert_array_equal(held.populations[0].threshold, each * 20)


def slow_network(seed: int) -> nir.NIRGraph:
    """Neurons of time constants about a thousand steps, whose input brings v just beyond the threshold."""
    rng = np.random.default_rng(seed)
    tau = 1000 * np.exp(rng.uniform(-0.5, 0.5, 60))
    weights = rng.normal(0.15, 1, (60, 20)) * (2 / (1000 * 0.1 * 20 * 0.25))
    each = np.ones(60)
    node = nir.LIF(tau=tau * DT, r=tau, v_leak=0 * each, v_threshold=each, v_reset=0 * each)
    ends = nir.Input({"input": np.array([20])}), nir.Output({"output": np.array([60])})
    return nir.NIRGraph.from_list(ends[0], nir.Linear(weights), node, ends[1])


def test_calibration_makes_up_for_slow_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, x = slow_network(0), spikes((900, 40, 20), 0.1, 1)
    network = lower_graph(graph, CompileOptions(dt=DT))
    wanted = simulate_float(network, {network.inputs[0].name: x}, 901, "counts").counts
    name = network.outputs[0]

    def error() -> float:
        program = compile_graph(
            graph, load_chip("loihi2"), CompileOptions(dt=DT, calibration=spikes((900, 16, 20), 0.1, 2))
        )
        found = simulate(program, x, steps=901).neuron_counts[name]
        return float(np.abs(found - wanted[name]).sum() / wanted[name].sum())

    made_up_for = error()
    monkeypatch.setattr(layer, "leak_factors", lambda population, dv, interval: np.ones(population.size))
    without = error()
    assert wanted[name].sum() > 1000
    assert 3 * made_up_for < without
