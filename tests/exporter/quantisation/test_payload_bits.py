"""Voltages as payloads: bits are divided between payload and weights by what each needs."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
import pytest
from numpy.typing import NDArray

from spikeport.exporter.compile import compile_graph, lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.neurons import CubaLI
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.exporter.quantisation.weight_units import needed_bits
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.diff import diff

LOIHI2 = load_chip("loihi2")
INPUTS, FILTERS, OUTPUTS = 40, 30, 20
SPIKES = (np.random.default_rng(10).random((100, 4, INPUTS)) < 0.2).astype(np.int32)


def filtered(weights: NDArray[Any]) -> nir.NIRGraph:
    """Input -> Affine -> LI -> Linear -> CubaLIF."""
    first, size = np.ones(FILTERS), len(weights)
    one = np.ones(size)
    entering = np.random.default_rng(0).normal(0, 1 / np.sqrt(0.2 * INPUTS), (FILTERS, INPUTS))
    nodes = {
        "input": nir.Input(input_type={"input": np.array([INPUTS])}),
        "affine": nir.Affine(weight=entering, bias=np.zeros(FILTERS)),
        "li": nir.LI(tau=0.01 * first, r=first, v_leak=0 * first),
        "linear": nir.Linear(weight=weights),
        "lif": nir.CubaLIF(
            tau_syn=0.005 * one, tau_mem=0.02 * one, r=one, v_leak=0 * one, v_threshold=0.03 * one, v_reset=0 * one,
            w_in=one,
        ),
        "output": nir.Output(output_type={"output": np.array([size])}),
    }  # fmt: skip
    edges = [*zip(nodes, list(nodes)[1:], strict=False)]
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata={"dt": 1e-3}, type_check=False)


def compiled(graph: nir.NIRGraph, options: CompileOptions) -> tuple[ChipProgram, float]:
    """The program, and the share of (step, sample, neuron) with the float network's spike or none."""
    program = compile_graph(graph, LOIHI2, options)
    report = diff(lower_graph(graph, options), program, SPIKES)
    return program, 1 - report.differing / report.compared


RANDOM = np.random.default_rng(1).normal(0, 1 / np.sqrt(FILTERS), (OUTPUTS, FILTERS))


@pytest.mark.parametrize(
    ("weights", "calibrated", "precision", "least"),
    [
        (np.eye(FILTERS), False, "normal", 0.97), (np.eye(FILTERS), False, "high", 0.99),
        (np.eye(FILTERS), True, "high", 0.995), (RANDOM, False, "normal", 0.86), (RANDOM, True, "normal", 0.94),
    ],
)  # fmt: skip
def test_equal_places_behind_a_filter(weights: NDArray[Any], calibrated: bool, precision: Any, least: float) -> None:
    """Before: 93, 94, 97, 81 and 85 %, as payloads had half of u's digits whatever the weights needed."""
    options = CompileOptions(precision=precision, calibration=SPIKES if calibrated else None)
    program, equal = compiled(filtered(weights), options)
    assert equal > least, equal
    widths = program.widths
    filters = program.population("li")
    assert isinstance(filters, CubaLI)
    payload = widths.state_max >> int(filters.shift[0])
    assert payload < 1 << (widths.message_bits - 1)
    for connection in program.into("lif"):
        assert widths.weight_exp_min <= connection.weight_exp <= widths.weight_exp_max
        assert np.abs(connection.weights).max() <= 256


def test_weights_of_one_value_leave_their_bits_to_the_payload() -> None:
    program, _ = compiled(filtered(np.eye(FILTERS)), CompileOptions())
    fine, _ = compiled(filtered(np.diag(np.linspace(0.1, 1, FILTERS) ** 2)), CompileOptions())
    shifts = [int(p.population("li").shift[0]) for p in (program, fine)]  # type: ignore[attr-defined]
    assert shifts[0] + 6 <= shifts[1]
    assert all(np.abs(c.weights).max() > 127 for c in fine.into("lif"))


@pytest.mark.parametrize(
    ("weights", "bits"), [(np.eye(4), 1), ([0.5, -1.5], 2), ([0.3, 0.6, 1.2], 3), ([1, np.pi], 8), ([0.0], 8)]
)
def test_bits_that_weights_need(weights: Any, bits: int) -> None:
    assert needed_bits(np.asarray(weights), 8) == bits
