"""README and tutorial hold for someone who has a clone and nothing next to it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from pages import FIRST_PAGES, carry_out, tracked_copy

README, TUTORIAL = FIRST_PAGES
WORDS = {
    "examples": "already",
    "check": "fits: 2 of 128 cores",
    "simulate": "output spikes",
    "diff": "every spike of every layer is the same",
    "profile": "energy per inference",
    "-c": "accuracy: 0.96875",
}


def environment(clone: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(clone), "COLUMNS": "200"}


@pytest.mark.parametrize("page", FIRST_PAGES, ids=lambda p: p.stem)
def test_a_whole_line_can_be_copied(page: Path) -> None:
    """A remark behind a command is a comment to the shell."""
    lines = re.findall(r"^    (\S.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert lines and not [line for line in lines if re.search(r" {2,}(?!#)\S", line)]


def test_a_clone_alone_is_enough_for_the_readme(tmp_path: Path) -> None:
    clone = tracked_copy(tmp_path / "clone")
    shown = carry_out(README, clone, sys.executable, environment(clone), training=False)
    assert not {command: shown[command] for command, words in WORDS.items() if words not in shown[command]}


def test_an_empty_folder_is_enough_for_the_tutorial(tmp_path: Path) -> None:
    clone = tracked_copy(tmp_path / "clone")
    empty = tmp_path / "empty"
    empty.mkdir()
    shown = carry_out(TUTORIAL, empty, sys.executable, environment(clone), training=False)
    assert not {c: shown[c] for c, words in WORDS.items() if words not in shown[c] and c != "examples"}
    assert (empty / "examples" / "digits.nir").is_file()


@pytest.mark.slow
@pytest.mark.recipe  # two minutes; tests/whole/test_wheel.py runs the same commands from the wheel
def test_the_readme_s_training_in_a_clone_alone(tmp_path: Path) -> None:
    clone = tracked_copy(tmp_path / "clone")
    shown = carry_out(README, clone, sys.executable, environment(clone), training=True)
    assert {"run", "compare", "report", "export"} <= set(shown)
    assert (clone / "runs" / "mine" / "report.html").is_file() and (clone / "mine.nir").is_file()
