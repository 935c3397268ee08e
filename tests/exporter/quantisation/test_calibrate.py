"""Calibration: nothing leaves its register on the sample, finer scales than the worst case allows, doubled synapses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from calibration_cases import two_inputs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from programs import spikes
from strategies import nir_graphs, seeds

from spikeport.common.errors import InputError
from spikeport.exporter.compile import compile_graph, lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.float_network.float_network import FloatNetwork, Reset
from spikeport.exporter.float_network.simulator import simulate_float
from spikeport.exporter.mapping import synapse_count
from spikeport.exporter.nir_graph.nir_file import read_nir
from spikeport.exporter.program.chip_program import ChipProgram, CubaLIF, CubaLIFSoftReset
from spikeport.exporter.quantisation.calibrate import MARGIN
from spikeport.exporter.quantisation.dequantise import dequantised_network
from spikeport.exporter.quantisation.quantise import quantise
from spikeport.hardware_profiles import load_chip
from spikeport.hardware_profiles.fixed_point import WordWidths
from spikeport.lava_runtime.diff import diff
from spikeport.lava_runtime.simulate import simulate

WIDTHS = WordWidths(message_bits=32)
SETTINGS = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
resets = st.sampled_from(["zero", "subtract"])


@SETTINGS
@given(graph=nir_graphs(), seed=seeds, reset=resets, bits=st.sampled_from([8, 4]), high=st.booleans())
def test_nothing_wraps_on_the_sample(graph: nir.NIRGraph, seed: int, reset: Reset, bits: int, high: bool) -> None:
    network = lower_graph(graph, CompileOptions(reset=reset))
    x = (np.random.default_rng(seed).random((12, 3, *network.inputs[0].shape)) < 0.4).astype(np.int32)
    program = quantise(
        network,
        "loihi2",
        WIDTHS,
        CompileOptions(weight_bits=bits, precision="high" if high else "normal", calibration=x),
    )
    report = diff(network, program, x)
    assert all(layer.u_beyond == 0 for layer in report.layers)
    for layer in report.layers:
        if program.into(layer.name):
            found = program.quantisation[layer.name]
            assert found.current_bound <= 1
            assert "margin" in found.bound_basis or "every synapse" in found.bound_basis


def braille(conformance: Path, reset: Reset = "zero") -> FloatNetwork:
    name = "noBias_subtract" if reset == "subtract" else "bias_zero"
    return lower_graph(
        read_nir(conformance / "nir" / f"braille_noDelay_{name}.nir"), CompileOptions(dt=1e-4, reset=reset)
    )


def same_winners(network: FloatNetwork, program: ChipProgram, x: NDArray[Any]) -> float:
    """Share of samples on which float and chip answer alike."""
    steps = len(x) + program.pipeline_steps
    wanted = simulate_float(network, {network.inputs[0].name: x}, steps, "counts").counts[network.outputs[0]]
    found = simulate(program, x, steps=steps).neuron_counts[network.outputs[0]]
    return float(np.mean(wanted.argmax(axis=1) == found.argmax(axis=1)))


# golden figures on 300 samples; the whole test is benchmarks/fidelity.py, its figures are in docs/fidelity.md
@pytest.mark.parametrize(
    ("reset", "high", "dense", "sparse"),
    [("zero", False, 0.98, 0.88), ("zero", True, 0.99, 0.98), ("subtract", False, 0.98, 0.88),
     ("subtract", True, 0.99, 0.98)],
)  # fmt: skip
def test_braille_keeps_its_winners(conformance: Path, reset: Reset, high: bool, dense: float, sparse: float) -> None:
    network = braille(conformance, reset)
    sample = np.concatenate([spikes((100, 32, 12), rate, 50 + i) for i, rate in enumerate((0.3, 0.1))], axis=1)
    program = quantise(
        network, "loihi2", WIDTHS, CompileOptions(precision="high" if high else "normal", calibration=sample)
    )
    model = CubaLIFSoftReset if reset == "subtract" else CubaLIF
    assert all(type(p) is model for p in program.populations if program.into(p.name))
    for rate, least in ((0.3, dense), (0.1, sparse)):
        x = spikes((100, 300, 12), rate, 7)
        assert same_winners(network, program, x) >= least
        # what the chip's dynamics add beyond the rounded numbers
        held = dequantised_network(program)
        assert same_winners(held, program, x) >= 0.99


def test_calibrated_scales_hold_what_the_sample_reaches_and_say_so(conformance: Path) -> None:
    network = braille(conformance)
    sample = spikes((100, 16, 12), 0.2, 3)
    careful = quantise(network, "loihi2", WIDTHS).quantisation["lif1.lif"]
    tried = quantise(network, "loihi2", WIDTHS, CompileOptions(calibration=sample)).quantisation["lif1.lif"]
    # as fine as where v has room for 128 thresholds, whatever could come; v's register goes further
    assert tried.weight_error_rms < 1.1 * careful.weight_error_rms
    assert tried.voltage_bound < 1 < careful.voltage_bound
    assert f"16 samples of 102 steps, with a margin of {MARGIN}" in tried.bound_basis
    assert careful.bound_basis.startswith("every synapse")


def test_doubled_synapses_are_counted_and_given_up_where_the_chip_has_no_room(conformance: Path) -> None:
    network = braille(conformance)
    sample = spikes((100, 16, 12), 0.2, 3)
    normal, high = (
        quantise(network, "loihi2", WIDTHS, CompileOptions(precision=precision, calibration=sample))  # type: ignore[arg-type]
        for precision in ("normal", "high")
    )

    def synapses(program: ChipProgram) -> int:
        return sum(synapse_count(c, program) for c in program.connections)

    assert 1.3 < synapses(high) / synapses(normal) <= 2
    none = quantise(
        network,
        "loihi2",
        WIDTHS,
        CompileOptions(precision="high", calibration=sample),
        fits=lambda program: len(program.connections) <= len(network.connections),
    )
    assert len(none.connections) == len(network.connections)
    fewer = quantise(
        network,
        "loihi2",
        WIDTHS,
        CompileOptions(precision="high", calibration=sample),
        fits=lambda program: synapses(program) <= 1.2 * synapses(normal),
    )
    assert synapses(normal) <= synapses(fewer) <= 1.2 * synapses(normal)


def test_the_published_cnn_keeps_its_winners_on_a_few_steps(conformance: Path) -> None:
    graph = read_nir(conformance / "nir" / "cnn_sinabs.nir")
    network = lower_graph(graph, CompileOptions(dt=1.0, reset="subtract"))
    x = spikes((40, 4, 2, 34, 34), 0.05, 1)
    program = compile_graph(graph, load_chip("loihi2"), CompileOptions(dt=1.0, reset="subtract"))
    found = simulate(program, x, steps=45).neuron_counts
    wanted = simulate_float(network, {"input": x.reshape(40, 4, -1)}, 45, "counts").counts
    for p in program.populations:
        assert found[p.name].sum() == pytest.approx(wanted[p.name].sum(), rel=0.02)
    np.testing.assert_array_equal(found["12"].argmax(axis=1), wanted["12"].argmax(axis=1))


def test_a_sample_of_another_shape_is_refused(conformance: Path) -> None:
    network = braille(conformance)
    for x in (np.zeros((10, 3, 7)), np.zeros((10, 12)), np.zeros((0, 3, 12))):
        with pytest.raises(InputError, match=r"calibration input has shape .*\(time, batch, 12\)"):
            quantise(network, "loihi2", WIDTHS, CompileOptions(calibration=x))


def test_numbers_on_the_grid_are_left_as_they_are() -> None:
    from strategies import grid_networks

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(pair=grid_networks(biased=False), seed=seeds)
    def check(pair: Any, seed: int) -> None:
        network, _ = pair
        x = (np.random.default_rng(seed).random((10, 2, *network.inputs[0].shape)) < 0.5).astype(np.int32)
        program = quantise(network, "loihi2", WordWidths(), CompileOptions(precision="high", calibration=x))
        assert all(q.weight_error_max < 1e-9 for q in program.quantisation.values())
        assert len(program.connections) == len(network.connections)

    check()


def test_several_inputs_are_calibrated_by_name() -> None:
    network = lower_graph(two_inputs())
    x = {"left": spikes((20, 4, 3), 0.4, 1), "right": spikes((20, 4, 2, 2), 0.4, 2)}
    program = quantise(network, "loihi2", WIDTHS, CompileOptions(calibration=x))
    assert "4 samples of 21 steps" in program.quantisation["lif"].bound_basis
    report = diff(network, program, x)
    assert report.same_winner == 1
    assert all(layer.u_beyond == 0 for layer in report.layers)
    # it is each input's own array that counts: nothing on the right leaves more room for the left
    quiet = quantise(network, "loihi2", WIDTHS, CompileOptions(calibration={**x, "right": 0 * x["right"]}))
    assert quiet.quantisation["lif"].current_bound / quiet.quantisation["lif"].scale < (
        program.quantisation["lif"].current_bound / program.quantisation["lif"].scale
    )
    for wrong, words in (
        (x["left"], "one array, but the inputs are left, right; give a .npz file"),
        ({"left": x["left"]}, "holds left, but the inputs are left, right"),
        ({}, "holds nothing"),
        ({**x, "right": x["left"]}, r"fits input 'right'"),
        ({**x, "right": x["right"][:9]}, "different numbers of steps"),
        ({**x, "right": 0.5 * x["right"]}, "'right' holds more than integers"),
    ):
        with pytest.raises(InputError, match=words):
            quantise(network, "loihi2", WIDTHS, CompileOptions(calibration=wrong))  # type: ignore[arg-type]
