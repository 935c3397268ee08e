"""Lava runs in a child process and leaves nothing behind, whoever ends first."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from places import ROOT
from programs import dense, spikes

from spikeport.common.errors import BackendError
from spikeport.exporter.program.chip_file import save_program
from spikeport.lava_runtime.simulate import simulate

pytestmark = pytest.mark.lava


# for a command to notice what became of its processes, on a machine that does much else
PATIENCE = 300


def commands() -> Iterator[tuple[int, list[bytes]]]:
    """Every Lava process on the machine with its arguments."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"spikeport.lava_runtime.lava_backend.supervisor" in command or b"lava_backend.worker" in command:
                yield int(entry.name), command.split(b"\0")


def lava_processes(folder: Path) -> set[int]:
    """Those that work in this folder: other tests run beside these."""
    return {pid for pid, arguments in commands() if any(bytes(folder) in argument for argument in arguments)}


def shared_memory() -> set[str]:
    """What Lava shares and no process on the machine answers for."""
    names = {path.name for path in Path("/dev/shm").glob("*spikeport*")}
    alive = {
        arguments[-3].decode()
        for _, arguments in commands()
        if b"spikeport.lava_runtime.lava_backend.supervisor" in arguments
    }
    return {name for name in names if not any(tag in name for tag in alive)}


def wait_for(condition: object, seconds: float = PATIENCE) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(autouse=True)
def nothing_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    memory = shared_memory()
    yield
    assert wait_for(lambda: not lava_processes(tmp_path)), lava_processes(tmp_path)
    assert wait_for(lambda: shared_memory() <= memory), shared_memory() - memory
    assert wait_for(lambda: not [*temporary_folders(tmp_path)]), [*temporary_folders(tmp_path)]


def temporary_folders(folder: Path) -> Iterator[Path]:
    """What a run keeps in TMPDIR: its folder and multiprocessing's."""
    yield from folder.glob("spikeport-*")
    yield from folder.glob("pymp-*")


def kill_supervisor(folder: Path) -> None:
    for pid in lava_processes(folder):
        if b"supervisor" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)


def start_long_run(tmp_path: Path, samples: int = 60) -> subprocess.Popen[bytes]:
    """A command that runs stock Lava for minutes, started and under way."""
    save_program(dense((50, 50, 10), 1), tmp_path / "model.chip")
    np.save(tmp_path / "x.npy", spikes((2000, samples, 50), 0.2, 2))
    command = [sys.executable, "-m", "spikeport.commands.cli", "simulate", str(tmp_path / "model.chip"), "--input",
               str(tmp_path / "x.npy"), "--backend", "stock", "-o", str(tmp_path / "out.npz")]  # fmt: skip
    root = ROOT
    running = subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        # a shell that runs these tests in the background has its commands ignore SIGINT
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert wait_for(lambda: len(lava_processes(tmp_path)) > 4), "the Lava processes did not start"
    time.sleep(1)
    return running


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_ending_the_command_ends_everything(tmp_path: Path, number: signal.Signals) -> None:
    running = start_long_run(tmp_path)
    os.kill(running.pid, number)
    _, errors = running.communicate(timeout=PATIENCE)
    assert running.returncode == (-number if number == signal.SIGKILL else 128 + number)
    assert not (tmp_path / "out.npz").exists()
    if number != signal.SIGKILL:
        assert b"interrupted" in errors and b"Traceback" not in errors


def test_killing_the_supervisor_ends_everything(tmp_path: Path) -> None:
    running = start_long_run(tmp_path)
    kill_supervisor(tmp_path)
    _, errors = running.communicate(timeout=PATIENCE)
    assert running.returncode == 2 and errors.startswith(b"error: backend stock")


def test_lava_ends_with_its_supervisor_though_the_folder_is_gone(tmp_path: Path) -> None:
    running = start_long_run(tmp_path)
    for folder in temporary_folders(tmp_path):
        shutil.rmtree(folder)
    kill_supervisor(tmp_path)
    _, errors = running.communicate(timeout=PATIENCE)
    assert running.returncode == 2 and errors.count(b"\n") == 1
    assert b"was removed during the run" in errors and b"TMPDIR" in errors


def test_lava_ends_when_command_and_supervisor_are_killed_at_once(tmp_path: Path) -> None:
    running = start_long_run(tmp_path)
    running.send_signal(signal.SIGSTOP)
    kill_supervisor(tmp_path)
    running.kill()
    running.communicate(timeout=PATIENCE)
    assert wait_for(lambda: not lava_processes(tmp_path)), lava_processes(tmp_path)
    # nobody is left to remove it
    for folder in temporary_folders(tmp_path):
        shutil.rmtree(folder)


@pytest.mark.slow
def test_a_full_disk_ends_a_run_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small, program = tmp_path / "small", dense((50, 50, 10), 1)
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)], check=False).returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        monkeypatch.setattr(tempfile, "tempdir", str(small))
        with pytest.raises(BackendError, match=r"small.*temporary files cannot be written \(No space .*TMPDIR"):
            simulate(program, spikes((300, 60, 50), 0.2, 2), "lava", record="all")
        monkeypatch.undo()
        monkeypatch.setenv("TMPDIR", str(small))
        running = start_long_run(tmp_path, samples=2)
        with suppress(OSError), (small / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(1000))
        # a process that fails cannot report why, and Lava's others would wait for it
        os.kill(max(lava_processes(tmp_path)), signal.SIGKILL)
        _, errors = running.communicate(timeout=PATIENCE)
        assert running.returncode == 2 and errors.count(b"\n") == 1 and b"No space left" in errors, errors
    finally:
        assert wait_for(lambda: not lava_processes(tmp_path))
        subprocess.run(["umount", str(small)], check=True)


def test_a_killed_lava_process_is_reported_with_its_layer(tmp_path: Path) -> None:
    running = start_long_run(tmp_path)
    # the last processes to start are a layer's and the runtime service's: any of them ends the run
    os.kill(max(lava_processes(tmp_path)), signal.SIGKILL)
    _, errors = running.communicate(timeout=PATIENCE)
    assert running.returncode == 2
    assert b"its process ended with status -9" in errors and errors.count(b"\n") == 1


def test_the_time_limit_stops_a_run() -> None:
    with pytest.raises(BackendError, match=r"not done after 3 s .* --time-limit"):
        simulate(dense((50, 50), 1), spikes((2000, 50, 50), 0.2, 2), "stock", limit_seconds=3)


def test_an_exception_in_a_process_model_names_the_layer(tmp_path: Path) -> None:
    # a layer that cannot write what it counted fails inside its own process
    program = dense((5, 4, 3), 1)
    import spikeport.lava_runtime.lava_backend.child as child

    create = child.create_arrays

    def without_counts(folder: Path, request: object, program_: object) -> None:
        create(folder, request, program_)  # type: ignore[arg-type]
        np.save(folder / "n1.npy", np.zeros((5, 7), np.int32))

    monkey = pytest.MonkeyPatch()
    monkey.setattr(child, "create_arrays", without_counts)
    try:
        with pytest.raises(BackendError, match="layer 'layer2' failed"):
            simulate(program, spikes((3, 2, 5), 0.5, 1), "lava")
    finally:
        monkey.undo()


def test_progress_reaches_the_end() -> None:
    seen: list[tuple[int, int]] = []
    program = dense((10, 10), 1)
    simulate(program, spikes((400, 8, 10), 0.3, 1), "stock", progress=lambda done, total: seen.append((done, total)))
    # 400 steps of input and one for the answer, 8 samples
    assert seen[-1][1] == 401 * 8 and max(done for done, _ in seen) > 0
