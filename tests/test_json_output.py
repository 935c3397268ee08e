"""--json: figures on standard output and words on standard error, or figures in a file, for every command."""

from __future__ import annotations

import json
from pathlib import Path

import nir
import numpy as np
import pytest
from programs import spikes
from test_cli import graph, refused, spikeport
from typer.main import get_command

from spikeport.cli import app
from spikeport.output import with_bare_json

COMMANDS = get_command(app).commands  # type: ignore[attr-defined]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    nir.write(str(tmp_path / "m.nir"), graph())
    np.save(tmp_path / "x.npy", spikes((10, 3, 6), 0.4, 1))
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_json_and_an_example(name: str) -> None:
    options = [option for parameter in COMMANDS[name].params for option in parameter.opts]
    assert "--json" in options
    assert f"Example: spikeport {name}" in (COMMANDS[name].help or "")


def test_a_bare_json_is_standard_output() -> None:
    assert with_bare_json(["check", "m", "--json"]) == ["check", "m", "--json", "-"]
    assert with_bare_json(["--json", "--chip", "x"]) == ["--json", "-", "--chip", "x"]
    assert with_bare_json(["--json", "f", "m"]) == ["--json", "f", "m"]
    assert with_bare_json(["--json", "-"]) == ["--json", "-"]


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (["compile", "m.nir", "--chip", "loihi2", "-o", "m.chip"], "pipeline_steps"),
        (["check", "m.nir", "--chip", "loihi2"], "cores"),
        (["simulate", "m.nir", "--chip", "loihi2", "--input", "x.npy", "-o", "o.npz"], "output_spikes"),
        (["diff", "m.nir", "--chip", "loihi2", "--input", "x.npy"], "causes"),
        (["profile", "m.nir", "--chip", "loihi2", "--input", "x.npy"], "per_inference"),
        (["chips"], "profiles"),
        (["chips", "loihi2"], "constants"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else value,
)
def test_figures_on_standard_output_words_on_standard_error(work: Path, command: list[str], key: str) -> None:
    shown = spikeport(*command, "--json", cwd=work)
    assert key in json.loads(shown.stdout), shown.stderr
    assert shown.stderr
    kept = spikeport(*command, "--json", "f.json", cwd=work)
    assert kept.stdout and json.loads((work / "f.json").read_text()) == json.loads(shown.stdout)


def test_a_refused_call_writes_no_figures(work: Path) -> None:
    result = spikeport("check", "m.nir", "--chip", "loihi3", "--json", cwd=work)
    refused(result, "loihi2")
    assert result.stdout == ""


def test_workers_say_the_same_figures(work: Path) -> None:
    command = ["simulate", "m.nir", "--chip", "loihi2", "--input", "x.npy", "-o", "o.npz", "--steps", "8"]
    alone = spikeport(*command, "--json", cwd=work)
    by_workers = spikeport(*command, "--workers", "1", "--json", cwd=work)
    assert json.loads(alone.stdout) == json.loads(by_workers.stdout)
    assert json.loads(alone.stdout)["missing_steps"] == 3
