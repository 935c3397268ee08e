"""Signals that ask for the end become one interruption, with their own exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

# a command that waits for a signal sent by itself
COMMAND = """
import os, signal, sys
from spikeport.commands import cli
{before}
def app(*_, **__):
    {inside}
    return 0
cli.app = app
cli.main()
"""


def run(folder: Path, inside: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command as a module, as `python -m spikeport` does: Python ends scripts in another way."""
    (folder / "command.py").write_text(COMMAND.format(inside=inside, before=before))
    command, environment = [sys.executable, "-m", "command"], {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_each_has_its_exit_code_and_a_second_does_not_stop_the_cleaning_up(
    number: signal.Signals, tmp_path: Path
) -> None:
    result = run(
        tmp_path,
        f"""
    try:
        os.kill(os.getpid(), {int(number)})
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGHUP)
        print("cleaned")
""",
    )
    assert (result.returncode, result.stdout) == (128 + number, "cleaned\n")
    assert result.stderr.startswith("error: interrupted") and result.stderr.count("\n") == 1


def test_an_interruption_below_exec_has_the_exit_code_of_every_other(tmp_path: Path) -> None:
    assert run(tmp_path, "exec('raise KeyboardInterrupt')").returncode == 130


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    result = run(tmp_path, "os.kill(os.getpid(), signal.SIGHUP)", before="signal.signal(signal.SIGHUP, signal.SIG_IGN)")
    assert result.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_object_that_is_interrupted_while_it_is_made_prints_nothing(number: signal.Signals, tmp_path: Path) -> None:
    before = f"""
class Half:
    def __init__(self):
        os.kill(os.getpid(), {int(number)})
    def __del__(self):
        self.missing
"""
    result = run(tmp_path, "Half()", before=before + "signal.signal(signal.SIGINT, signal.default_int_handler)")
    assert result.returncode == 128 + number
    assert result.stderr.startswith("error: interrupted") and result.stderr.count("\n") == 1
