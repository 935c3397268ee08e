"""The emulator of Xylo against xylosim, the vendor's simulator: every event, current and voltage."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.exporter.mapping import map_program
from spikeport.exporter.neurons.xylo.neurons import MOST_INPUT_EVENTS, XyloHidden, XyloOutput
from spikeport.exporter.program.chip_file import load_program, save_program
from spikeport.exporter.xylo.limits import refusals
from spikeport.exporter.xylo.specification import XyloSpecification, program_of, specification_of
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.result import differences
from spikeport.lava_runtime.simulate import simulate
from tests.support.networks.xylo_networks import XyloCase, xylo_cases

vendor = pytest.mark.skipif(importlib.util.find_spec("xylosim") is None, reason="xylosim is not installed")
MANY = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}


def equal(case: XyloCase) -> None:
    steps = len(case.x)
    ours = simulate(case.program, case.x, "emulator", steps, "all")
    assert not differences(ours, simulate(case.program, case.x, "xylosim", steps, "all"))


@vendor
@given(xylo_cases())
@settings(max_examples=30, **MANY)
def test_every_number_is_the_vendor_s(case: XyloCase) -> None:
    equal(case)


@vendor
@pytest.mark.slow
@given(xylo_cases(samples=1, most_hidden=60))
@settings(max_examples=1000, **MANY)
def test_every_number_of_a_thousand_networks_is_the_vendor_s(case: XyloCase) -> None:
    equal(case)


def one_neuron(**changes: object) -> XyloSpecification:
    """One input, one hidden and one output neuron, whose numbers are small enough to follow by hand."""

    def all_of(value: int, *shape: int) -> NDArray[np.int32]:
        return np.full(shape, value, np.int32)

    specification = XyloSpecification(
        np.array([[[40, 0]]], np.int32), all_of(0, 1, 1, 2), all_of(10, 1, 1),
        *(all_of(value, 1) for value in (2, 1, 1, 16, 0, -1)), *(all_of(value, 1) for value in (1, 1, 5, 0)),
    )  # fmt: skip
    return replace(specification, **changes)  # type: ignore[arg-type]


def test_a_neuron_by_hand() -> None:
    program = program_of(one_neuron(), load_chip("xylo_audio2"))
    x = np.zeros((3, 1, 1), np.uint8)
    x[0] = 2
    run = simulate(program, x, "emulator", 3, "all")
    # i: 80 - 40 = 40; 40 - 20; 20 - 10.  v: 40 = 2 * 16 + 8; 8 - 2 + 20 = 26 = 16 + 10; 10 - 2 + 10 = 18 = 16 + 2
    assert run.states["i/hidden"].ravel().tolist() == [40, 20, 10]
    assert run.states["v/hidden"].ravel().tolist() == [8, 10, 2]
    assert run.states["s/hidden"].ravel().tolist() == [2, 1, 1]
    # a step later: i: 2 * 10 - 10 = 10; 10 + 10 - 10.  v: 10 - 5 = 5; 5 - 2 + 10 - 5 = 8
    assert run.states["i/output"].ravel().tolist() == [0, 10, 10]
    assert run.states["v/output"].ravel().tolist() == [0, 5, 8]
    assert run.spikes["output"].ravel().tolist() == [0, 1, 1]
    assert program.pipeline_steps == 1


def test_the_file_holds_the_whole_network(tmp_path: Path) -> None:
    program = program_of(one_neuron(weight_shift_in=3), load_chip("xylo_audio2"))
    save_program(program, tmp_path / "m.chip")
    read = specification_of(load_program(tmp_path / "m.chip"))
    for name, value in vars(specification_of(program)).items():
        np.testing.assert_array_equal(getattr(read, name), value, err_msg=name)


def test_limits_are_named_with_what_would_fit() -> None:
    chip = load_chip("xylo_audio2")
    hidden = np.zeros((70, 70, 2), np.int32)
    hidden[3] = 1

    def wide(value: int) -> NDArray[np.int32]:
        return np.full(70, value, np.int32)

    registers = dict.fromkeys(("dash_mem", "dash_syn", "dash_syn_2"), wide(2))
    large = one_neuron(
        weights_in=np.ones((17, 70, 2), np.int32), weights_rec=hidden, weights_out=np.ones((70, 9), np.int32),
        threshold=wide(9), bias=wide(0), aliases=wide(-1), dash_mem_out=wide(1)[:9], dash_syn_out=wide(1)[:9],
        threshold_out=wide(9)[:9], bias_out=wide(0)[:9], **registers,
    )  # fmt: skip
    sentences = refusals(program_of(large, chip), chip)
    assert [part in sentence for part, sentence in zip(
        ("the network needs 17", "the network needs 9", "reaches 70 hidden neurons"),
        sentences, strict=True,
    )] == [True] * 3  # fmt: skip
    small = program_of(one_neuron(), chip)
    assert not refusals(small, chip)
    assert map_program(small, chip).cores == 1


def test_what_the_chip_does_not_have_is_refused() -> None:
    chip = load_chip("xylo_audio2")
    program = program_of(one_neuron(), chip)
    x = np.zeros((2, 1, 1), np.int32)
    with pytest.raises(InputError, match="choose emulator or xylosim"):
        simulate(program, x, "lava")
    with pytest.raises(InputError, match="receives counts of events, 0 to 15"):
        simulate(program, x - 1)
    with pytest.raises(InputError, match="threshold spans -1 to -1"):
        program_of(one_neuron(threshold=np.full(1, -1, np.int32)), chip)
    with pytest.raises(InputError, match=r"input 'input' holds 16, .* 0 to 15 per channel and step; scale the input"):
        simulate(program, x + 16)
    later = replace(program, connections=tuple(replace(c, delay=1) for c in program.connections))
    with pytest.raises(InputError, match=r"input -> hidden takes 1 steps, but on a Xylo chip it takes 0"):
        simulate(later, x)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"weights_in": np.full((1, 1, 2), 0.5)}, "weights_in is float64, but a Xylo chip holds whole numbers; round"),
        ({"weights_in": np.full((1, 1), 4)}, r"weights_in has shape \(1, 1\), but \(inputs, hidden, synapses\) is"),
        ({"weights_rec": np.zeros((1, 1, 1), int)}, r"weights_rec has shape .* \(1, 1, 2\) in this .*; give zeros for"),
        ({"dash_mem": np.full(2, 4)}, r"dash_mem has shape \(2,\), but \(hidden\) is \(1,\) in this network"),
        ({"threshold": [16]}, "threshold is list, but a Xylo chip holds whole numbers"),
        ({"weights_out": np.full((1, 1), 200)}, "weights spans 200 to 200"),
    ],
)
def test_a_specification_that_is_none_ends_in_a_sentence(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        program_of(one_neuron(**changes), load_chip("xylo_audio2"))


def test_the_profile_has_the_emulator_s_limits() -> None:
    rules = load_chip("xylo_audio2").rules
    assert int(rules["events_per_input"]) == MOST_INPUT_EVENTS
    assert int(rules["events_per_hidden_neuron"]) == XyloHidden.MOST_EVENTS
    assert int(rules["events_per_output_neuron"]) == XyloOutput.MOST_EVENTS
