"""Files appear whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from spikeport.common.errors import InputError
from spikeport.common.files import replacing, write_text
from spikeport.common.locks import locked_file


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path]
    mount = subprocess.run(command, capture_output=True, check=False)
    if mount.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mount.stderr.decode().strip()}")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.txt"
    write_text(path, "old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.suffix == ".txt"
    assert path.read_text() == "new"
    assert names(path.parent) == ["a.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, InputError])
def test_a_failure_inside_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise error("stop")

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_new_file_has_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(small_disk: Path) -> None:
    path = small_disk / "a.txt"
    write_text(path, "old")
    with pytest.raises(InputError, match=r"a\.txt: cannot be written \(No space left on device\)"):
        write_text(path, "x" * 100_000)
    assert path.read_text() == "old"
    assert names(small_disk) == ["a.txt"]


def test_a_full_disk_leaves_no_new_file(small_disk: Path) -> None:
    with pytest.raises(InputError, match="No space left"):
        write_text(small_disk / "a.txt", "x" * 100_000)
    assert names(small_disk) == []


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/a\.txt: cannot be written"):
        write_text(tmp_path / "file" / "a.txt", "text")


def test_a_target_that_is_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(InputError, match=r"a\.txt: cannot be written"):
        write_text(tmp_path / "a.txt", "text")
    assert names(tmp_path) == ["a.txt"]


KILLED = """
import os, signal, sys
from spikeport.common.files import replacing
with replacing(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("name", ["out.npz", "no_ending", f"{'long' * 40}.safetensors"])
def test_what_a_killed_process_left_is_removed_by_the_next_and_nothing_else(name: str, tmp_path: Path) -> None:
    others = (".other.npz.abcdefgh.npz", f".{name}", f".{name}.mine", f".{name}.abcdefgh.txt", f".x{name}.abcdefgh.npz")
    for other in others:
        (tmp_path / other[-250:]).write_text("mine")
    before = set(tmp_path.iterdir())
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path / name], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(set(tmp_path.iterdir()) - before) == 1
    with locked_file(tmp_path / name):
        assert set(tmp_path.iterdir()) - before == {path for path in tmp_path.iterdir() if path.suffix == ".lock"}
    assert set(tmp_path.iterdir()) == before
