"""--json: figures on standard output and words on standard error, or figures in a file, for every command."""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
import warnings
from pathlib import Path

import nir
import numpy as np
import pytest
from command import graph, refused, spikeport
from programs import spikes
from typer.main import get_command
from typer.testing import CliRunner

from spikeport.commands.cli import app, main
from spikeport.console.output import with_bare_json

COMMANDS = get_command(app).commands  # type: ignore[attr-defined]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    nir.write(str(tmp_path / "m.nir"), graph())
    np.save(tmp_path / "x.npy", spikes((10, 3, 6), 0.4, 1))
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_shows_json_and_an_example_that_parses(name: str) -> None:
    command = COMMANDS[name]
    shown = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert shown.exit_code == 0 and "--json" in shown.output
    (example,) = re.findall(rf"Example: spikeport {name}\b(.*)", command.help or "")
    assert f"Example: spikeport {name}{example}" in shown.output
    command.make_context(name, shlex.split(example))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_mistyped_option_is_answered_with_the_nearest(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command = COMMANDS[name]
    options = [option for parameter in command.params for option in parameter.opts if option.startswith("--")]
    assert "--json" in options
    for option in options:
        shorter = option[:-1]
        # --devices without its last letter is another option
        wrong = shorter if len(option) > 4 and shorter not in options else option + "x"
        said = refusal(monkeypatch, name, wrong, "1")
        assert f"did you mean {option!r}" in said.replace("Did", "did").replace("one of: ", ""), said


@pytest.mark.parametrize("name", COMMANDS)
def test_every_mistyped_command_is_answered_with_the_nearest(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert name in refusal(monkeypatch, name + "x").lower().partition("did you mean")[2]


def refusal(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """What the command line says to a wrong call."""
    said = io.StringIO()
    with monkeypatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(sys, "argv", ["spikeport", *arguments])
        patch.setattr(sys, "stderr", said)
        patch.setattr(warnings, "showwarning", warnings.showwarning)  # main sets its own
        main()
    assert ended.value.code == 2
    return said.getvalue()


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
