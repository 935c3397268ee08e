"""Compile options: one value, one check, the same on the command line and in Python."""

from __future__ import annotations

from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from command import graph, refused, spikeport

import spikeport as sp
from spikeport.commands.option_groups import CompileOptions as Flags
from spikeport.exporter.compile import compile_graph
from spikeport.exporter.compile_options import CHOICES, DEFAULTS, CompileOptions
from spikeport.exporter.program.chip_file import save_program
from spikeport.hardware_profiles import load_chip
from spikeport.network.choices import given, late

X = np.ones((4, 2, 6), np.uint8)


@pytest.mark.parametrize(
    ("option", "value", "nearest"),
    [
        ("reset", "subtrct", "subtract"),
        ("discretize", "eulr", "euler"),
        ("precision", "hig", "high"),
        ("sums", "grade", "graded"),
    ],
)
def test_an_unknown_value_names_the_option_the_allowed_ones_and_the_nearest(
    option: str, value: str, nearest: str, tmp_path: Path
) -> None:
    known = ", ".join(CHOICES[option])
    with pytest.raises(sp.InputError, match=f"^{option} '{value}' is unknown; known are {known}; .*'{nearest}'"):
        sp.compile(graph(), **{option: value})  # type: ignore[arg-type]
    nir.write(str(tmp_path / "m.nir"), graph())
    command = ("compile", "m.nir", "--chip", "loihi2", f"--{option}", value, "-o", "m.chip")
    refused(spikeport(*command, cwd=tmp_path), f"--{option}", f"did you mean '{nearest}'")


def test_an_unknown_record_or_backend_is_refused() -> None:
    network = sp.compile(graph())
    with pytest.raises(sp.InputError, match=r"record 'layer' is unknown; known are spikes, layers, all.*'layers'"):
        network.simulate(X, record="layer")  # type: ignore[arg-type]
    with pytest.raises(sp.InputError, match=r"backend 'emulater' is unknown.*'emulator'"):
        network.simulate(X, backend="emulater")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("dt", "1e-3", "dt is '1e-3', but must be a number of seconds"),
        ("weight_bits", 4.5, "weight_bits is 4.5, but must be a whole number"),
        ("weight_bits", True, "weight_bits is True"),
        ("weight_bits", 0, "0 bit"),
        ("framework", "nors", "did you mean 'norse'"),
        ("precision", None, "precision None is unknown"),
    ],
)
def test_other_values_are_checked(option: str, value: Any, words: str) -> None:
    with pytest.raises(sp.InputError, match=words):
        compile_graph(graph(), load_chip("loihi2"), CompileOptions(**{option: value}))


def test_a_file_of_sample_input_must_be_read_first() -> None:
    with pytest.raises(sp.InputError, match=r"calibration 'x\.npy' is the name of a file"):
        compile_graph(graph(), load_chip("loihi2"), CompileOptions(calibration=Path("x.npy")))


def test_python_takes_options_whole_or_by_name(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    whole = CompileOptions(weight_bits=5, precision="high", reset="subtract")
    programs = [
        sp.compile(graph(0.3), options=whole),
        sp.compile(graph(0.3), weight_bits=5, precision="high", reset="subtract"),
        # what is given by name replaces what the options hold
        sp.compile(
            graph(0.3), options=CompileOptions(weight_bits=3, precision="high"), weight_bits=5, reset="subtract"
        ),
    ]
    files = []
    for number, network in enumerate(programs):
        assert network.options == whole
        save_program(network.program, tmp_path / f"{number}.chip")
        files.append((tmp_path / f"{number}.chip").read_bytes())
    assert files[0] == files[1] == files[2]
    calibrated = [sp.compile(graph(), calibrate=sample) for sample in (X, tmp_path / "x.npy", str(tmp_path / "x.npy"))]
    assert len({str(network.parts()["layers"]) for network in calibrated}) == 1


def test_every_option_is_a_flag_and_a_keyword_of_python() -> None:
    names = {field.name for field in fields(CompileOptions)}
    called = {"calibrate" if name == "calibration" else name for name in names}
    group = Flags.__metadata__[0]  # type: ignore[attr-defined]
    assert set(group.options) == called
    assert called < set(signature(sp.compile).parameters)
    # the values typer shows are those that are checked, and so are the defaults
    values = {name: default for name, (_, default) in group.options.items()}
    assert group.make(**values) == DEFAULTS == CompileOptions()


def test_options_are_called_as_on_the_command_line() -> None:
    options = CompileOptions(dt=1e-3, framework="norse", calibration=X, weight_bits=4)
    assert given(options) == ["--dt", "--weight-bits", "--from", "--calibrate"]
    assert late(options) == given(options)[1:]
    assert given(CompileOptions(precision="normal")) == []
