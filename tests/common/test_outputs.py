"""What stands where an output is to go: devices, pipes, links, folders, long names, permissions."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from command import refused, spikeport
from places import ROOT
from programs import dense, spikes

from spikeport.common.arrays import save_arrays
from spikeport.common.errors import InputError
from spikeport.common.files import beside, replacing, write_text
from spikeport.exporter.program.chip_file import load_program, save_program
from spikeport.lava_runtime.workers import simulate_to_file

root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="making a device needs root")


def device(path: Path, minor: int) -> Path:
    """A character device of our own: 3 takes everything (null), 7 is always full."""
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
        path.open("wb").close()
    except OSError as error:
        pytest.skip(f"no device can be made here: {error}")
    return path


class Reader(threading.Thread):
    """Reads a pipe to its end."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        os.mkfifo(path)
        self.path, self.content = path, b""
        self.start()

    def run(self) -> None:
        self.content = self.path.read_bytes()

    def read(self) -> bytes:
        self.join(60)
        assert not self.is_alive()
        assert stat.S_ISFIFO(self.path.stat().st_mode)
        return self.content


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with m.chip and x.npy."""
    save_program(dense((6, 8, 4), 1), tmp_path / "m.chip")
    np.save(tmp_path / "x.npy", spikes((10, 3, 6), 0.4, 1))
    return tmp_path


@root
def test_a_device_is_written_to_and_stays(tmp_path: Path) -> None:
    null = device(tmp_path / "null", 3)
    before = null.lstat()
    write_text(null, "text")
    save_arrays(null, {"a": np.arange(5)})
    after = null.lstat()
    assert (after.st_ino, after.st_rdev, after.st_mode) == (before.st_ino, before.st_rdev, before.st_mode)
    assert [path.name for path in tmp_path.iterdir()] == ["null"]


@root
def test_a_device_that_is_full_is_one_sentence_and_stays(tmp_path: Path) -> None:
    full = device(tmp_path / "full", 7)
    with pytest.raises(InputError, match=r"full: cannot be written \(No space left on device\)"):
        write_text(full, "text")
    assert stat.S_ISCHR(full.lstat().st_mode)


@root
@pytest.mark.parametrize("how", [[], ["--workers", "2"]], ids=["at once", "in chunks"])
def test_simulate_writes_to_a_device_and_leaves_nothing_beside_it(work: Path, how: list[str]) -> None:
    null = device(work / "null", 3)
    there = sorted(work.iterdir())
    ran = spikeport("simulate", "m.chip", "--input", "x.npy", "-o", "null", "--json", "null", *how, cwd=work)
    assert ran.returncode == 0, ran.stderr
    assert stat.S_ISCHR(null.lstat().st_mode)
    assert sorted(work.iterdir()) == there


@pytest.mark.parametrize("how", [[], ["--workers", "2"]], ids=["at once", "in chunks"])
def test_a_pipe_gets_the_bytes_of_the_file(work: Path, how: list[str]) -> None:
    call = ("simulate", "m.chip", "--input", "x.npy", *how, "-o")
    assert spikeport(*call, "plain.npz", cwd=work).returncode == 0
    reader = Reader(work / "pipe")
    ran = spikeport(*call, "pipe", cwd=work)
    assert ran.returncode == 0, ran.stderr
    assert reader.read() == (work / "plain.npz").read_bytes()


def test_hdf5_goes_into_a_pipe(tmp_path: Path) -> None:
    reader = Reader(tmp_path / "pipe")
    save_program(dense((6, 8, 4), 1), tmp_path / "pipe")
    (tmp_path / "read.chip").write_bytes(reader.read())
    assert load_program(tmp_path / "read.chip").populations[0].size == 8


def test_a_pipe_that_nobody_reads_to_its_end_is_one_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    ending = threading.Thread(target=lambda: (tmp_path / "pipe").open("rb").close(), daemon=True)
    ending.start()
    with pytest.raises(
        InputError, match=r"pipe: cannot be written \(Broken pipe\); the process that reads it has ended"
    ):
        write_text(tmp_path / "pipe", "x" * 1_000_000)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_socket_is_refused_and_stays(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        with pytest.raises(InputError, match=r"s: cannot be written \(it is a socket\)"):
            write_text(tmp_path / "s", "text")
        assert stat.S_ISSOCK((tmp_path / "s").stat().st_mode)


@root
def test_a_disk_is_refused_unopened(tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / "disk", 0o600 | stat.S_IFBLK, os.makedev(240, 250))
    except OSError as error:
        pytest.skip(f"no device can be made here: {error}")
    with pytest.raises(InputError, match="it is a disk"):
        write_text(tmp_path / "disk", "text")
    assert stat.S_ISBLK((tmp_path / "disk").lstat().st_mode)


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.txt").write_text("old")
    (tmp_path / "second").symlink_to("elsewhere/a.txt")
    (tmp_path / "first").symlink_to(tmp_path / "second")
    with replacing(tmp_path / "first") as temporary:
        # beside what is replaced: a rename does not cross file systems
        assert temporary.parent == elsewhere.resolve()
        temporary.write_text("new")
        assert (elsewhere / "a.txt").read_text() == "old"
    assert (elsewhere / "a.txt").read_text() == "new"
    assert (tmp_path / "first").is_symlink() and (tmp_path / "second").is_symlink()
    assert [path.name for path in elsewhere.iterdir()] == ["a.txt"]


def test_a_link_that_leads_nowhere_makes_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("new/a.txt")
    write_text(tmp_path / "link", "text")
    assert (tmp_path / "new" / "a.txt").read_text() == "text" and (tmp_path / "link").is_symlink()


def test_links_in_a_circle_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(InputError, match=r"a: cannot be written .*links"):
        write_text(tmp_path / "a", "text")
    assert (tmp_path / "a").is_symlink() and (tmp_path / "b").is_symlink()


@root
def test_a_link_to_a_device_stays_and_so_does_the_device(tmp_path: Path) -> None:
    null = device(tmp_path / "null", 3)
    (tmp_path / "link").symlink_to("null")
    write_text(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink() and stat.S_ISCHR(null.lstat().st_mode)


@root
def test_a_device_that_is_made_meanwhile_is_written_to(tmp_path: Path) -> None:
    with replacing(tmp_path / "null") as temporary:
        temporary.write_text("text")
        device(tmp_path / "null", 3)
    assert stat.S_ISCHR((tmp_path / "null").lstat().st_mode)


def test_permissions_of_a_file_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o640)
    write_text(path, "new")
    assert path.stat().st_mode & 0o777 == 0o640


@root
def test_the_owner_of_a_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    os.chown(path, 12345, 23456)
    write_text(path, "new")
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)


def test_another_name_of_the_file_keeps_the_old_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    write_text(tmp_path / "a", "new")
    assert (tmp_path / "b").read_text() == "old"


@pytest.mark.parametrize("name", ["n" * 251 + ".npz", "ä" * 125 + ".npz", "a." + "e" * 253])
def test_the_longest_name_works(name: str, tmp_path: Path) -> None:
    write_text(tmp_path / name, "text")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    program, x = dense((5, 5), 1), spikes((4, 2, 5), 0.5, 1)
    simulate_to_file(program, x, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert len(os.fsencode(beside(tmp_path / name, ".", ".spikeport.lock").name)) <= 255
    with pytest.raises(InputError, match="choose a shorter name"):
        write_text(tmp_path / (name + "xx"), "text")


@pytest.mark.parametrize("aimed", [True, False], ids=["a file", "a pipe"])
def test_standard_output_takes_the_file_and_words_go_to_standard_error(work: Path, aimed: bool) -> None:
    command = [sys.executable, "-m", "spikeport", "simulate", "m.chip", "--input", "x.npy", "-o"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([*command, "plain.npz"], cwd=work, env=environment, check=True, capture_output=True)
    with (work / "aimed").open("wb") as file:
        ran = subprocess.run([*command, "/dev/stdout"], cwd=work, env=environment, check=True,
                             stdout=file if aimed else subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    found = (work / "aimed").read_bytes() if aimed else ran.stdout
    assert found == (work / "plain.npz").read_bytes() and b"3 samples" in ran.stderr
    both = spikeport("simulate", "m.chip", "--input", "x.npy", "-o", "/dev/stdout", "--json", cwd=work)
    refused(both, "--json", "-o", "standard output")
    refused(spikeport("simulate", "m.chip", "--input", "x.npy", "-o", "-", cwd=work), "-o -", "/dev/stdout")
    assert not (work / "-").exists()


@pytest.mark.parametrize(
    "call",
    [
        ["simulate", "m.chip", "--input", "x.npy", "-o", "folder"],
        ["check", "m.chip", "--chip", "loihi2", "--dump-map", "folder"],
        ["check", "m.chip", "--chip", "loihi2", "--json", "folder/"],
        ["profile", "m.chip", "--chip", "loihi2", "--input", "x.npy", "--trace", "folder"],
        ["run", "r.toml", "--out", "x.npy"],
        ["sweep", "r.toml", "--over", "steps=2", "--out", "x.npy"],
        ["compile", "m.nir", "--chip", "loihi2", "-o", "new.chip", "--dump", "x.npy"],
    ],
    ids=lambda call: call[0] + call[-2],
)
def test_a_folder_for_a_file_and_a_file_for_a_folder_are_refused_before_the_work(work: Path, call: list[str]) -> None:
    (work / "folder").mkdir()
    before = (work / "x.npy").read_bytes()
    result = spikeport(*call, cwd=work)
    refused(result, call[-1].rstrip("/"), "folder")
    assert (work / "x.npy").read_bytes() == before and not list((work / "folder").iterdir())
