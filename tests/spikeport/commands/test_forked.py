"""The tests' commands are forked from one that has imported everything, unless a test sets a variable for them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import sklearn  # noqa: F401  (sets variables of OpenMP)
from command import refused, spikeport
from small_recipe import RECIPE

from spikeport.trainer.data.paths_and_cache import DATA


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The commands that are started in a new Python."""
    found, run = [], subprocess.run

    def noted(*arguments: Any, **options: Any) -> Any:
        found.append(arguments)
        return run(*arguments, **options)

    monkeypatch.setattr(subprocess, "run", noted)
    return found


def test_variables_that_libraries_set_start_no_new_python(started: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KMP_INIT_AT_FORK", "TORCHINDUCTOR_CACHE_DIR"):
        monkeypatch.setenv(name, "else")
    assert spikeport("--version").returncode == 0
    assert not started


def test_a_variable_that_is_read_when_a_command_runs_reaches_it_without_one(
    started: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(DATA, str(tmp_path / "elsewhere"))
    (tmp_path / "r.toml").write_text(RECIPE.replace('"digits"', '"fsdd"'))
    refused(spikeport("train", "r.toml", "--out", "run", cwd=tmp_path), "elsewhere")
    assert not started


def test_a_variable_of_a_test_reaches_the_command_from_its_start(
    started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "no such action")
    assert "Invalid -W option" in spikeport("--version").stderr
    assert len(started) == 1


def test_the_end_of_a_forked_command_is_its_own() -> None:
    assert spikeport("check", "nowhere.nir", "--chip", "loihi2").returncode == 2
    assert spikeport("nothing").returncode == 2
    assert spikeport("--help").returncode == 0
