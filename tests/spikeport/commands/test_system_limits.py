"""What the operating system refuses a command is one sentence, or the command works without it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import refused
from places import ROOT
from programs import dense, spikes

from spikeport.exporter.program.chip_file import save_program


@pytest.fixture
def work(tmp_path: Path) -> Path:
    save_program(dense((6, 8, 4), 1), tmp_path / "model.chip")
    np.save(tmp_path / "x.npy", spikes((10, 20, 6), 0.4, 1))
    return tmp_path


def limited(work: Path, limit: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Simulate after a line of shell that takes something away; skips the test if it cannot."""
    command = [sys.executable, "-m", "spikeport.commands.cli", "simulate", "model.chip", "--input", "x.npy", *arguments]
    result = subprocess.run(
        ["unshare", "-m", "sh", "-c", f'{limit} || exit 99; exec "$@"', "sh", *command], cwd=work, capture_output=True,
        text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    if result.returncode in (1, 99):
        pytest.skip(f"not possible here: {limit}")
    return result


def test_shared_memory_that_cannot_be_written(work: Path) -> None:
    limit = "mount -t tmpfs -o ro none /dev/shm"
    result = limited(work, limit, "-o", "out.npz")
    assert (result.returncode, result.stderr) == (0, "")
    refused(limited(work, limit, "-o", "out.npz", "--workers", "2"), "--workers 2", "/dev/shm", "Read-only")


@pytest.mark.lava
def test_lava_without_shared_memory(work: Path) -> None:
    result = limited(work, "mount -t tmpfs -o ro none /dev/shm", "-o", "out.npz", "--backend", "lava")
    refused(result, "backend lava: Lava's processes cannot be started (Read-only file system)", "--backend emulator")


def test_few_open_files(work: Path) -> None:
    assert limited(work, "ulimit -n 64", "-o", "out.npz").returncode == 0
    refused(limited(work, "ulimit -n 24", "-o", "o.npz", "--workers", "2"), "Too many open files", "ulimit -n 4096")


def test_a_folder_that_cannot_be_read(work: Path) -> None:
    folder = work / "closed"
    folder.mkdir()
    folder.chmod(0)
    # root may read everything until it gives that up
    limit = 'exec setpriv --bounding-set -dac_override,-dac_read_search "$@"'
    refused(limited(work, limit, "-o", "closed/out.npz"), "closed/out.npz", "Permission denied")
    (work / "x.npy").unlink()
    (work / "x.npy").symlink_to(folder / "x.npy")
    refused(limited(work, limit, "-o", "out.npz"), "x.npy", "Permission denied", "permissions")
