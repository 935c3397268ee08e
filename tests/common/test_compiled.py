"""The kernels' cache: a read-only installation, a full disk and damaged files end no command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

from spikeport.common import compiled

KERNEL = """
from spikeport.common.compiled import njit

@njit(cache=True)
def add(one, other):
    return one + other

print(add(1, 2), sum(add.stats.cache_hits.values()))
"""


def run_kernel(folder: Path, *before: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a module with one kernel in a process of its own; prints the kernel's result and the hits in its cache."""
    file = folder / "kernel.py"
    if not file.exists():
        # a newer file would not be looked for in the cache
        file.write_text(KERNEL)
    inherited = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    return subprocess.run(
        [*before, sys.executable, "-B", "kernel.py"], cwd=folder, capture_output=True, text=True, check=True,
        env={**inherited, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip


def test_a_cache_that_is_cut_off_is_rebuilt(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert run_kernel(tmp_path, NUMBA_CACHE_DIR=str(cache)).stdout == "3 0\n"
    for ending, kept in (("nbi", 0), ("nbc", 30)):
        (damaged,) = cache.rglob(f"*.{ending}")
        damaged.write_bytes(damaged.read_bytes()[:kept])
        assert run_kernel(tmp_path, NUMBA_CACHE_DIR=str(cache)).stdout == "3 0\n"
    again = run_kernel(tmp_path, NUMBA_CACHE_DIR=str(cache))
    assert (again.stdout, again.stderr) == ("3 1\n", "")


def test_without_a_folder_for_the_cache_a_private_one_is_taken_and_named_once(tmp_path: Path) -> None:
    # a file where numba would make a folder next to the code, and no home: as good as read-only, also for root
    (tmp_path / "__pycache__").touch()
    places = {"HOME": "/proc/none", "XDG_CACHE_HOME": "/proc/none", "TMPDIR": str(tmp_path)}
    first, second = run_kernel(tmp_path, **places), run_kernel(tmp_path, **places)
    assert (first.stdout, second.stdout) == ("3 0\n", "3 1\n")
    assert first.stderr.count("set NUMBA_CACHE_DIR") == 1 and "spikeport-kernels-" in first.stderr
    (folder,) = tmp_path.glob("spikeport-kernels-*")
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_full_disk_under_the_cache_leaves_it_out(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    mount = f'mount -t tmpfs -o size=4k none {cache} && exec "$@"'
    try:
        result = run_kernel(tmp_path, "unshare", "-m", "sh", "-c", mount, "sh", NUMBA_CACHE_DIR=str(cache))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no small file system can be mounted here")
    assert result.stdout == "3 0\n"


def test_the_private_folder_is_no_one_else_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = compiled.private_folder()
    assert folder is not None and folder == compiled.private_folder()
    folder.chmod(0o777)
    other = compiled.private_folder()
    assert other is not None and other != folder and other.stat().st_mode & 0o777 == 0o700
