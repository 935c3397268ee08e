"""The .chip file: whole round trips, and a sentence for whatever is not a valid program."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import programs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import chip_programs, nir_graphs

from spikeport.common.errors import InputError
from spikeport.exporter.compile import compile_graph
from spikeport.exporter.program.chip_file import VERSION, load_program, save_program
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.exporter.program.validate import validate
from spikeport.hardware_profiles import load_chip


def assert_equal(first: Any, second: Any) -> None:
    """Dataclasses with arrays inside, part by part."""
    for item in fields(first):
        ours, theirs = getattr(first, item.name), getattr(second, item.name)
        pairs = zip(ours, theirs, strict=True) if isinstance(ours, tuple) else [(ours, theirs)]
        for one, other in pairs:
            if hasattr(one, "__dataclass_fields__"):
                assert type(one) is type(other)
                assert_equal(one, other)
            elif isinstance(one, np.ndarray):
                assert one.dtype == other.dtype
                np.testing.assert_array_equal(one, other)
            else:
                assert one == other


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_program(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.fixture
def chip_file(tmp_path: Path) -> Path:
    save_program(programs.every_kind(1), tmp_path / "m.chip")
    return tmp_path / "m.chip"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(program=chip_programs())
def test_a_program_comes_back_as_it_was(program: ChipProgram, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("chip") / "m.chip"
    save_program(program, path)
    assert_equal(load_program(path), program)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(program=nir_graphs().map(lambda graph: compile_graph(graph, load_chip("loihi2"))))
def test_a_compiled_program_keeps_its_report(program: ChipProgram, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("chip") / "m.chip"
    save_program(program, path)
    assert load_program(path).quantisation == program.quantisation


def test_every_neuron_model_delay_and_connection_comes_back(tmp_path: Path) -> None:
    program = programs.beyond_stock(2)
    save_program(program, tmp_path / "m.chip")
    assert_equal(load_program(tmp_path / "m.chip"), program)


def test_the_same_program_gives_the_same_bytes(chip_file: Path, tmp_path: Path) -> None:
    save_program(programs.every_kind(1), tmp_path / "again.chip")
    assert (tmp_path / "again.chip").read_bytes() == chip_file.read_bytes()


def test_a_file_cut_anywhere_is_refused(chip_file: Path) -> None:
    whole = chip_file.read_bytes()
    for size in {0, 1, 8, 96, *range(100, len(whole), 997), len(whole) - 1}:
        chip_file.write_bytes(whole[:size])
        refusal(chip_file)


def test_a_file_with_a_byte_changed_is_refused_or_still_valid(chip_file: Path) -> None:
    whole = chip_file.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(whole), 100):
        changed = bytearray(whole)
        changed[place] ^= int(rng.integers(1, 256))
        chip_file.write_bytes(changed)
        with contextlib.suppress(InputError):
            validate(load_program(chip_file))


@pytest.mark.parametrize(
    ("attribute", "value", "culprit"),
    [
        ("format", "other", "not a spikeport.chip file"),
        ("version", VERSION + 1, f"version {VERSION + 1}"),
        ("version", "new", "whole numbers"),
        ("version", 2.9, "2.9"),
        ("dt", -1.0, "dt"),
        ("dt", np.nan, "dt"),
        ("outputs", json.dumps(["nowhere"]), "nowhere"),
        ("outputs", "[", "complete"),
        ("outputs", "[]", "output"),
        ("outputs", "5", "complete"),
        ("word_widths", json.dumps({"unknown": 3}), "unknown"),
        ("word_widths", json.dumps({"state_bits": 64}), "state_bits"),
        ("word_widths", json.dumps({"state_bits": "x"}), "state_bits"),
        ("word_widths", json.dumps({"weight_bits": 1.5}), "weight_bits"),
        ("word_widths", "3", "complete"),
    ],
)
def test_a_bad_header_is_refused(chip_file: Path, attribute: str, value: Any, culprit: str) -> None:
    with h5py.File(chip_file, "r+") as file:
        file.attrs[attribute] = value
    assert culprit in refusal(chip_file)


@pytest.mark.parametrize("missing", ["inputs", "populations", "connections", "quantisation", "populations/fc/dv",
                                     "connections/0000/weights"])  # fmt: skip
def test_a_missing_part_is_refused(chip_file: Path, missing: str) -> None:
    with h5py.File(chip_file, "r+") as file:
        del file[missing]
    refusal(chip_file)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("kind", "sparse"), ("source", "nowhere"), ("target", "in"), ("weight_exp", 8), ("weight_exp", -1),
        ("delay", 0), ("delay", 64), ("sign_mode", "both"), ("weight_bits", 9), ("weight_bits", 0), ("stride", (0, 1)),
        ("stride", (-1, -1)), ("stride", (1, 1, 1)), ("padding", (-1, 0)), ("dilation", (0, 1)), ("groups", 3),
        ("groups", 0), ("input_shape", (3, 8, 8)), ("input_shape", (3, 72)), ("output_shape", (4, 20)),
        ("output_shape", (80, 1, 1)),
    ],
)  # fmt: skip
def test_a_connection_that_does_not_fit_is_refused(chip_file: Path, attribute: str, value: Any) -> None:
    with h5py.File(chip_file, "r+") as file:
        file["connections/0000"].attrs[attribute] = value
    assert " -> " in refusal(chip_file) or attribute == "kind"


@settings(max_examples=60, deadline=None)
@given(data=st.data(), high=st.booleans(), place=st.integers(0, 6))
def test_a_value_out_of_its_register_is_refused(data: st.DataObject, high: bool, place: int) -> None:
    widths = programs.WIDTHS
    limits = {
        "du": (0, 4095), "dv": (0, 4095), "vth": (0, 131071), "bias_mant": (-4096, 4095), "bias_exp": (0, 7),
        "v_initial": (-widths.state_max, widths.state_max),
    }  # fmt: skip
    program = programs.every_kind(1)
    name = data.draw(st.sampled_from(list(limits)))
    low, top = limits[name]
    beyond = data.draw(st.integers(1, 1 << 20))
    fc = program.population("fc")
    values = getattr(fc, name).copy()
    for value, fits in ((top if high else low, True), (top + beyond if high else low - beyond, False)):
        values[place] = value
        changed = replace(program, populations=(*program.populations[:-1], replace(fc, **{name: values})))
        if fits:
            validate(changed)
        else:
            with pytest.raises(InputError, match=f"'fc', {name}"):
                validate(changed)


@pytest.mark.parametrize("index", range(6))
@pytest.mark.parametrize("value", [-257, 256, 1, 300])
def test_a_weight_off_its_grid_is_refused(index: int, value: int) -> None:
    program = programs.every_kind(1)
    connection = program.connections[index]
    if value == 1 and connection.sign_mode == "excitatory":
        value = -1
    weights = connection.weights.copy()
    weights.flat[-1] = value
    connections = list(program.connections)
    connections[index] = replace(connection, weights=weights)
    with pytest.raises(InputError, match=f"{connection.source} -> {connection.target}"):
        validate(replace(program, connections=tuple(connections)))


def virtual(file: h5py.File, other: Path) -> None:
    layout = h5py.VirtualLayout((7,), np.int32)
    layout[:] = h5py.VirtualSource(str(other), "x", (7,))
    file.create_virtual_dataset("populations/fc/dv", layout)


def external(file: h5py.File, other: Path) -> None:
    file.create_dataset("populations/fc/dv", (7,), np.int32, external=[(str(other), 0, 28)])


def link(file: h5py.File, other: Path) -> None:
    file["populations/fc/dv"] = h5py.ExternalLink(str(other), "x")


@pytest.mark.parametrize("point_out", [virtual, external, link])
def test_a_file_that_points_to_another_is_refused(
    chip_file: Path, tmp_path: Path, point_out: Callable[[h5py.File, Path], None]
) -> None:
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = np.zeros(7, np.int32)
    with h5py.File(chip_file, "r+") as file:
        del file["populations/fc/dv"]
        point_out(file, other)
    assert "populations/fc/dv" in refusal(chip_file)


def test_a_huge_array_is_refused_before_it_is_read(chip_file: Path) -> None:
    with h5py.File(chip_file, "r+") as file:
        del file["populations/fc/dv"]
        file["populations/fc"].create_dataset("dv", (1 << 40,), np.int32, chunks=(1 << 16,))
    assert "populations/fc/dv" in refusal(chip_file)


def test_a_failing_write_leaves_the_old_file_whole(chip_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = chip_file.read_bytes()

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(InputError, match="No space left"):
        save_program(programs.dense((3, 2), 0), chip_file)
    assert chip_file.read_bytes() == before
    assert [p.name for p in chip_file.parent.iterdir()] == ["m.chip"]


def test_an_invalid_program_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        save_program(replace(programs.every_kind(1), outputs=("nowhere",)), tmp_path / "m.chip")
    assert list(tmp_path.iterdir()) == []


def test_a_name_with_a_slash_or_none_is_refused(tmp_path: Path) -> None:
    program = programs.dense((3, 2), 0)
    for name in ("a/b", "", "."):
        renamed = replace(
            program,
            populations=(replace(program.populations[0], name=name),),
            connections=(replace(program.connections[0], target=name),),
            outputs=(name,),
        )
        with pytest.raises(InputError, match="name"):
            save_program(renamed, tmp_path / "m.chip")
