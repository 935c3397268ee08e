"""NIR networks in a Xylo chip's integers: how near they come to the float network, and what is refused."""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from numpy.typing import NDArray

from spikeport.common.errors import DoesNotFitError, InputError
from spikeport.exporter.compile import compile_graph, lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.float_network.simulator import simulate_float
from spikeport.exporter.neurons.xylo.neurons import XyloHidden, XyloOutput
from spikeport.exporter.nir_graph.nir_file import read_nir
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.exporter.xylo.quantise import round_xylo
from spikeport.exporter.xylo.specification import specification_of
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.result import differences
from spikeport.lava_runtime.simulate import simulate
from tests.support.networks.xylo_graphs import chain, cuba, lif, random_weights
from tests.support.networks.xylo_random_graphs import random_graphs

CHIP = load_chip("xylo_audio2")
SUBTRACT = CompileOptions(reset="subtract")
vendor = pytest.mark.skipif(importlib.util.find_spec("xylosim") is None, reason="xylosim is not installed")


def spikes(rate: float, inputs: int = 16, steps: int = 100, samples: int = 16) -> NDArray[np.int32]:
    return (np.random.default_rng(1).random((steps, samples, inputs)) < rate).astype(np.int32)


def both(
    graph: nir.NIRGraph, options: CompileOptions, x: NDArray[np.int32], layer: str
) -> tuple[NDArray[Any], NDArray[Any]]:
    """What a layer sends in float and on the chip, equal steps beside each other."""
    network, program = lower_graph(graph, options), compile_graph(graph, CHIP, options)
    late = network.starts[layer]
    wanted = simulate_float(network, {network.inputs[0].name: x}, len(x) + late).spikes[layer][late:]
    run = simulate(program, x, record="layers", steps=len(x) + late)
    got = run.states[f"s/{layer}"] if f"s/{layer}" in run.states else run.spikes[layer]
    return wanted.astype(int), got[late - 1 :][: len(x)].reshape(wanted.shape)


def layers(program: ChipProgram, kind: type) -> list[str]:
    return [p.name for p in program.populations if type(p) is kind]


def test_layers_lie_behind_each_other_in_the_hidden_block() -> None:
    neurons = [cuba(20, 4, 8), cuba(30, 2, 16), cuba(8, 4, 4)]
    program = compile_graph(chain(neurons, random_weights([16, 20, 30, 8], 0.5)), CHIP, SUBTRACT)
    assert (layers(program, XyloHidden), layers(program, XyloOutput)) == (["n0", "n1"], ["n2"])
    assert {c.label: c.delay for c in program.connections} == {"input -> n0": 0, "n0 -> n1": 1, "n1 -> n2": 1}
    # an input acts in the step in which it enters, so two layers later its answer comes
    assert program.pipeline_steps == 2
    assert program.population("n0").dash_syn.tolist() == [2] * 20  # type: ignore[attr-defined]
    assert program.population("n0").dash_mem.tolist() == [3] * 20  # type: ignore[attr-defined]


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_time_constants_that_the_chip_has_lose_little(reset: Any) -> None:
    graph = chain([cuba(60, 4, 8), cuba(8, 4, 8)], random_weights([16, 60, 8], 0.3))
    for layer in ("n0", "n1"):
        wanted, got = both(graph, CompileOptions(reset=reset), spikes(0.1), layer)
        assert abs(got.sum() / wanted.sum() - 1) < 0.03


@pytest.mark.parametrize("reset", ["subtract", "subtract_after_decay"])
def test_a_lif_without_current_spikes_as_in_float(reset: Any) -> None:
    """Its synapse is its membrane, and a synapse with itself resets it: only rounding is left."""
    graph = chain([lif(40, 16), cuba(4, 4, 8)], random_weights([16, 40, 4], 0.6))
    wanted, got = both(graph, CompileOptions(reset=reset), spikes(0.1), "n0")
    assert wanted.sum() > 2000
    assert np.mean(wanted != got) < 0.01
    program = compile_graph(graph, CHIP, SUBTRACT)
    assert [c.synapse for c in program.connections if c.label == "n0 -> n0"] == ["n0.reset"]


def test_a_bias_without_current_comes_from_a_neuron_that_always_fires() -> None:
    neuron = lif(3, 8)
    neuron.v_leak = np.array([0.9, 0.0, 1.9])  # v tends to it; the threshold is 1
    program = compile_graph(chain([neuron, cuba(2, 2, 4)], random_weights([4, 3, 2], 0.1)), CHIP, SUBTRACT)
    run = simulate(program, np.zeros((80, 1, 4), np.int32), record="layers")
    assert run.states["s/n0.bias"].all()
    assert (run.states["s/n0"].sum(axis=(0, 1)) > 0).tolist() == [False, False, True]


def test_large_biases_of_hidden_and_output_neurons_come_from_neurons_that_always_fire() -> None:
    first, last = cuba(10, 4, 8), cuba(4, 4, 8)
    # v tends to v_leak without input
    first.v_leak, last.v_leak = np.linspace(-4, 4, 10), np.linspace(-2, 3, 4)
    graph = chain([first, last], random_weights([16, 10, 4], 0.4))
    program = compile_graph(graph, CHIP, SUBTRACT)
    firing = [p.name for p in program.populations if ".bias" in p.name]
    assert {name.rstrip("_") for name in firing} == {"n0.bias", "n1.bias"}
    for layer in ("n0", "n1"):
        wanted, got = both(graph, SUBTRACT, spikes(0.1), layer)
        assert abs(got.sum() / wanted.sum() - 1) < 0.05


def test_a_threshold_that_fills_its_register_resets_to_zero() -> None:
    weights = random_weights([16, 30, 2], 0.2)
    program = compile_graph(chain([cuba(30, 4, 8), cuba(2, 4, 8)], weights), CHIP, CompileOptions(reset="zero"))
    hidden = program.population("n0")
    assert isinstance(hidden, XyloHidden) and (hidden.threshold == 32767).all()
    run = simulate(program, spikes(0.3), record="all")
    sent, v = run.states["s/n0"], run.states["v/n0"]
    assert sent.max() == 1 and (v[sent == 1] == 0).all()


def test_recurrent_weights_and_a_network_of_one_layer() -> None:
    size = 12
    nodes = {
        "input": nir.Input({"input": np.array([4])}), "w": nir.Linear(random_weights([4, size], 0.6)[0]),
        "n": cuba(size, 4, 8), "r": nir.Linear(random_weights([size, size], 0.3, 1)[0]),
        "output": nir.Output({"output": np.array([size])}),
    }  # fmt: skip
    edges = [("input", "w"), ("w", "n"), ("n", "r"), ("r", "n"), ("n", "output")]
    program = compile_graph(nir.NIRGraph(nodes, edges, metadata={"dt": 1e-3}), CHIP, SUBTRACT)
    assert layers(program, XyloHidden) == ["n"] and not layers(program, XyloOutput)
    assert program.outputs == ("n",) and program.pipeline_steps == 0
    assert any("read from hidden neurons" in note for note in program.quantisation["n"].notes)
    run = simulate(program, spikes(0.3, 4))
    assert run.spikes["n"].shape == (100, 16, size) and run.spikes["n"].any()


def test_a_convolution_is_written_as_a_matrix() -> None:
    graph = nir.NIRGraph(
        {
            "input": nir.Input({"input": np.array([1, 16])}),
            "c": nir.Conv1d(16, np.full((2, 1, 3), 0.5, np.float32), 1, 1, 1, 1, np.zeros(2, np.float32)),
            "n": nir.CubaLIF(*(np.full((2, 16), v) for v in (4e-3, 8e-3, 8.0, 0.0, 1.0)), w_in=np.full((2, 16), 4.0)),
            "f": nir.Flatten({"input": np.array([2, 16])}, 0, -1),
            "w": nir.Linear(random_weights([32, 3], 0.5)[0]), "m": cuba(3, 4, 8),
            "output": nir.Output({"output": np.array([3])}),
        },
        [("input", "c"), ("c", "n"), ("n", "f"), ("f", "w"), ("w", "m"), ("m", "output")], metadata={"dt": 1e-3},
    )  # fmt: skip
    program = compile_graph(graph, CHIP, SUBTRACT)
    assert specification_of(program).weights_in.shape == (16, 32, 2)
    x = spikes(0.2).reshape(100, 16, 1, 16)
    assert simulate(program, x).output.any()


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ((17, 5, 2), "16 inputs, but the network needs 17; pool or project the input to 16 channels"),
        ((4, 1001, 2), "1000 hidden neurons, but the network needs 1001; make the hidden layers smaller"),
        ((4, 5, 9), "8 output neurons, but the network needs 9; decide between at most 8 classes"),
        ((4, 5, 65, 2), "reaches 65 hidden neurons, and 5 in all reach more than 64.*fan-out; prune each"),
    ],
)
def test_sizes_beyond_the_chip_s_are_refused_with_what_would_fit(sizes: tuple[int, ...], sentence: str) -> None:
    graph = chain([cuba(n, 4, 8) for n in sizes[1:]], [np.ones((m, n)) for n, m in pairwise(sizes)])
    with pytest.raises(DoesNotFitError, match=rf"graph: .*{sentence}"):
        compile_graph(graph, CHIP)


def test_what_no_neuron_of_the_chip_does_is_refused() -> None:
    weights = random_weights([4, 3, 2], 0.5)

    def refused(first: nir.NIRNode, sentence: str, options: CompileOptions = SUBTRACT) -> None:
        with pytest.raises(InputError, match=sentence):
            compile_graph(chain([first, cuba(2, 4, 8)], weights), CHIP, options)

    refused(cuba(3, 4, 1e5), "'n0' has a membrane time constant of 1e.05 steps, .* 32,768 steps; .* larger --dt")
    refused(cuba(3, 1e5, 4), "'n0' has a synaptic time constant of 1e.05 steps")
    refused(cuba(3, 4, 8), "weights of 9 bit: .* stores 2 to 8 bit", replace(SUBTRACT, weight_bits=9))
    refused(cuba(3, 4, 8), "leave out --precision high", replace(SUBTRACT, precision="high"))
    leaky = nir.LI(np.full(3, 8e-3), np.full(3, 8.0), np.zeros(3))
    refused(leaky, "'n0' sends its voltage, but a Xylo chip's neurons send events; give it a threshold")


def test_branches_of_different_length_are_refused() -> None:
    nodes = {
        "input": nir.Input({"input": np.array([2])}), "a": nir.Linear(np.ones((3, 2))), "n": cuba(3, 4, 8),
        "b": nir.Linear(np.ones((3, 3))), "m": cuba(3, 4, 8), "skip": nir.Linear(np.ones((3, 2))),
        "output": nir.Output({"output": np.array([3])}),
    }  # fmt: skip
    edges = [("input", "a"), ("a", "n"), ("n", "b"), ("b", "m"), ("input", "skip"), ("skip", "m"), ("m", "output")]
    with pytest.raises(InputError, match=r"'input' -> 'm' arrives 1 steps late, but a Xylo chip has no delays"):
        compile_graph(nir.NIRGraph(nodes, edges, metadata={"dt": 1e-3}), CHIP, SUBTRACT)


@given(random_graphs())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_program_is_within_the_chip_s_limits(case: tuple[nir.NIRGraph, CompileOptions]) -> None:
    graph, options = case
    program = compile_graph(graph, CHIP, options)
    network = lower_graph(graph, options)
    chosen, held = round_xylo(network, CHIP, options).specification, specification_of(program)
    for name, value in vars(held).items():
        np.testing.assert_array_equal(getattr(chosen, name), value, err_msg=name)
    most = (1 << ((options.weight_bits or 8) - 1)) - 1
    assert max(np.abs(w).max(initial=0) for w in (held.weights_in, held.weights_rec, held.weights_out)) <= most
    assert min(held.threshold.min(initial=1), held.threshold_out.min(initial=1)) >= 1


def test_a_matrix_without_synapses_has_no_shift() -> None:
    options = replace(SUBTRACT, weight_bits=2, reset="zero")
    one = {"tau": np.full(1, 1e-3), "r": np.ones(1), "v_leak": np.zeros(1), "v_reset": np.zeros(1)}
    neurons = [nir.LIF(**one, v_threshold=np.full(1, threshold)) for threshold in (63.0, 1.0, 1.0)]
    graph = chain(neurons, [np.full((1, 1), weight) for weight in (0.163, 0.034, 0.42)])
    chosen = round_xylo(lower_graph(graph, options), CHIP, options).specification
    assert not chosen.weights_in.any() and chosen.weight_shift_in == 0
    assert specification_of(compile_graph(graph, CHIP, options)).weight_shift_in == 0


@vendor
@given(random_graphs())
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_rounded_networks_run_as_the_vendor_s(case: tuple[nir.NIRGraph, CompileOptions]) -> None:
    program = compile_graph(case[0], CHIP, case[1])
    x = spikes(0.3, program.inputs[0].size, 60, 2)
    assert not differences(simulate(program, x, "emulator", 60, "all"), simulate(program, x, "xylosim", 60, "all"))


@vendor
def test_rockpool_s_neuron_runs_on_both_chips(conformance: Path) -> None:
    trace = np.loadtxt(conformance / "nir" / "lif_norse.csv", delimiter=",")
    x = trace[:, :1, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = read_nir(conformance / "nir" / "lif_rockpool.nir")
    found = {}
    for chip in ("loihi2", "xylo_audio2"):
        program = compile_graph(graph, load_chip(chip), CompileOptions(dt=1e-4))
        found[chip] = np.flatnonzero(simulate(program, x).output) - program.pipeline_steps
    program = compile_graph(graph, CHIP, CompileOptions(dt=1e-4))
    assert not differences(simulate(program, x, record="all"), simulate(program, x, "xylosim", record="all"))
    # Loihi's on tests/exporter/test_conformance.py
    assert list(found["loihi2"]) == [460, 520, 720, 780]
    assert len(found["xylo_audio2"]) == 4


def test_the_published_recurrent_network_comes_near(conformance: Path) -> None:
    graph = read_nir(conformance / "nir" / "braille_noDelay_noBias_subtract.nir")
    for rate in (0.1, 0.3):
        sample = np.random.default_rng(2).binomial(1, rate, (200, 16, 12))
        options = CompileOptions(dt=1e-4, reset="subtract", calibration=sample)
        wanted, got = both(graph, options, spikes(rate, 12, 200), "lif2")
        assert abs(got.sum() / wanted.sum() - 1) < 0.15
