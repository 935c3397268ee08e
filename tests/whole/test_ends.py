"""Commands that are killed or ended at random moments leave nothing behind and come to the same results.

SPIKEPORT_KILLS=10 ends each command ten times by each signal, in about an hour; by default it is once, by any of them.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from left_behind import becomes_true, processes, shared_memory
from places import ROOT
from programs import dense, spikes

from spikeport.exporter.program.chip_file import save_program

pytestmark = [pytest.mark.slow, pytest.mark.lava]

KILLS = int(os.environ.get("SPIKEPORT_KILLS", "0"))
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL)
RECIPE = """
name = "tiny"
dataset = "digits"
backends = ["lava"]
[network]
layers = [{ kind = "dense", size = 12 }]
[training]
epochs = 4
steps = 4
threads = 1
checkpoint_seconds = 0
"""
FINISHED = b"holds a finished run"
SIMULATE = ("simulate", "model.chip", "--input", "x.npy", "-o", "out.npz")


@dataclass(frozen=True)
class Case:
    """A command; files: its results, in the folder where it runs; longest: seconds within which it is ended."""

    arguments: tuple[str, ...]
    files: tuple[str, ...]
    longest: float


CASES = {
    "emulator, workers": Case((*SIMULATE, "--workers", "2"), ("out.npz",), 5),
    "lava": Case((*SIMULATE, "--backend", "lava"), ("out.npz",), 5),
    "lava, workers": Case((*SIMULATE, "--backend", "lava", "--workers", "2"), ("out.npz",), 8),
    "stock": Case((*SIMULATE, "--backend", "stock"), ("out.npz",), 5),
    "train": Case(("train", "tiny.toml", "--out", "run"), ("run/network.safetensors", "run/ann.safetensors"), 6),
    "run": Case(("run", "tiny.toml", "--out", "run"), ("run/network.safetensors", "run/result.npz"), 12),
    "sweep": Case(
        ("sweep", "tiny.toml", "--over", "weight_bits=4,8", "--out", "sweep", "--workers", "2"),
        ("sweep/sweep.json",),
        10,
    ),
}


def prepared(folder: Path) -> Path:
    """A folder with all that the commands read."""
    folder.mkdir()
    (folder / "tiny.toml").write_text(RECIPE)
    save_program(dense((20, 30, 5), 1), folder / "model.chip")
    np.save(folder / "x.npy", spikes((60, 24, 20), 0.2, 2))
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of commands that nothing interrupted; all backends have one, as have train and run."""
    temporary = tmp_path_factory.mktemp("whole")
    folder = prepared(temporary / "whole")
    for name in ("emulator, workers", "run", "sweep"):
        _, errors = (process := start(CASES[name], folder, temporary)).communicate()
        assert process.returncode == 0, errors
    return folder


@pytest.mark.parametrize("name", CASES)
def test_a_command_that_is_ended_at_random_leaves_nothing_and_resumes(name: str, whole: Path, tmp_path: Path) -> None:
    case, moments, folder = CASES[name], random.Random(f"{name} {KILLS}"), tmp_path / "ended"
    # a command that is faster than the signal starts again in a new folder
    left = [number for number in SIGNALS for _ in range(KILLS)] or [moments.choice(SIGNALS)]
    moments.shuffle(left)
    prepared(folder)
    while left:
        if ended(case, left[-1], case.longest * moments.random(), folder):
            left.pop()
        else:
            check_results(case, folder, whole)
            shutil.rmtree(folder)
            prepared(folder)
            left = left if KILLS else []
    _, errors = (process := start(case, folder, tmp_path)).communicate()
    assert process.returncode == 0 or FINISHED in errors, errors
    check_results(case, folder, whole)


def ended(case: Case, number: signal.Signals, seconds: float, folder: Path) -> bool:
    """Whether the signal, sent after these seconds, ended the command; either way nothing must be left of it."""
    process = start(case, folder, folder.parent)
    seen = watch(process, folder.parent, seconds)
    process.send_signal(number)
    _, errors = process.communicate()
    if process.returncode == 2 and FINISHED in errors:
        return False  # the one before was ended after its last file
    # before Python has started, a signal ends it by itself
    assert process.returncode in (0, -number, 128 + number), errors
    assert b"Traceback" not in errors and b"unexpected" not in errors, errors
    assert nothing_left(process.pid, seen, folder.parent, number)
    return process.returncode != 0


def check_results(case: Case, folder: Path, whole: Path) -> None:
    for file in case.files:
        assert (folder / file).read_bytes() == (whole / file).read_bytes()


def start(case: Case, folder: Path, temporary: Path) -> subprocess.Popen[bytes]:
    resumed = case.arguments[0] in ("run", "train") and any((folder / "run").glob("checkpoint.*"))
    command = [sys.executable, "-m", "spikeport.commands.cli", *case.arguments, *(["--resume"] * resumed)]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        # a shell that runs these tests in the background has its commands ignore SIGINT
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL), start_new_session=True,
    )  # fmt: skip


def watch(process: subprocess.Popen[bytes], temporary: Path, seconds: float) -> dict[int, str]:
    """All processes that work for the command within that time, by number with their command lines."""
    seen: dict[int, str] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        seen |= processes(temporary)
        time.sleep(0.2)
    return seen | processes(temporary)


def nothing_left(command: int, seen: dict[int, str], temporary: Path, number: signal.Signals) -> bool:
    assert becomes_true(lambda: not processes(temporary)), processes(temporary)
    tags = {tag for line in seen.values() for tag in re.findall(r"spikeport[0-9a-f]{12}", line)}
    numbers = {command, *seen}
    assert becomes_true(lambda: not shared_memory(numbers, tags), 20), shared_memory(numbers, tags)
    # torch keeps a cache there
    left = [path for path in temporary.iterdir() if path.name != "ended" and "torch" not in path.name]
    # a killed process cannot remove a folder that nothing else knows of yet
    contents = {path: sorted(path.rglob("*")) for path in left}
    assert all(number == signal.SIGKILL and path.is_dir() and not inside for path, inside in contents.items()), (
        number, contents
    )  # fmt: skip
    for path in left:
        path.rmdir()
    return True
