"""A .chip file beyond the limits of a chip with integers of its own is refused by every command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command import refused, spikeport

import spikeport as sp
from spikeport.common.errors import DoesNotFitError
from spikeport.exporter.program.chip_file import save_program
from spikeport.exporter.xylo.specification import XyloSpecification, program_of
from spikeport.hardware_profiles import load_chip


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """A network of 17 inputs, one more than the chip has."""
    hidden = {name: np.full(3, 2) for name in ("dash_mem", "dash_syn", "dash_syn_2", "threshold")}
    outputs = {f"{name}_out": np.full(2, 2) for name in ("dash_mem", "dash_syn", "threshold")}
    specification = XyloSpecification(
        weights_in=np.ones((17, 3, 2), int), weights_rec=np.zeros((3, 3, 2), int), weights_out=np.ones((3, 2), int),
        bias=np.zeros(3, int), aliases=np.full(3, -1), bias_out=np.zeros(2, int), **hidden, **outputs,
    )  # fmt: skip
    save_program(program_of(specification, load_chip("xylo_audio2")), tmp_path / "wide.chip")
    np.save(tmp_path / "x.npy", np.ones((4, 1, 17), np.uint8))
    return tmp_path / "wide.chip"


def test_check_says_no_and_simulate_and_profile_refuse(wide: Path) -> None:
    x, figures = wide.with_name("x.npy"), wide.with_name("check.json")
    run = spikeport("check", wide, "--chip", "xylo_audio2", "--json", figures)
    assert run.returncode == 1, run.stderr
    assert "does not fit" in run.stdout and "16 inputs, but the network needs 17" in run.stdout
    assert json.loads(figures.read_text())["fits"] is False
    refused(spikeport("simulate", wide, "--input", x, "-o", wide.with_suffix(".npz")), "needs 17")
    refused(spikeport("profile", wide, "--input", x, "--chip", "xylo_audio2"), "needs 17")


def test_python_refuses_it_as_well(wide: Path) -> None:
    with pytest.raises(DoesNotFitError, match=r"wide\.chip: .* needs 17; pool or project the input to 16 channels"):
        sp.load(wide)
