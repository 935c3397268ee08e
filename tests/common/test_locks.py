"""Two processes and one output: the second is refused by name, and nothing of the one gets into the other's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import refused, spikeport
from programs import dense, spikes
from two_processes import started, stopped

from spikeport.common import locks
from spikeport.common.errors import BackendError, InputError
from spikeport.common.locks import locked_file, locked_folder
from spikeport.exporter.program.chip_file import save_program
from spikeport.lava_runtime import workers
from spikeport.lava_runtime.run_store import ChunkStore
from spikeport.lava_runtime.simulate import simulate
from spikeport.lava_runtime.workers import simulate_to_file

RECIPE = """
name = "two"
dataset = "digits"
backends = []
devices = ["server_cpu"]
[network]
layers = [{ kind = "dense", size = 16 }]
[training]
epochs = EPOCHS
steps = 4
"""
HOLD = """
import sys, time
from spikeport.common.locks import locked_file, locked_folder
with (locked_folder if sys.argv[1] == "folder" else locked_file)(sys.argv[2]):
    print("held", flush=True)
    time.sleep(600)
"""


@contextmanager
def holding(kind: str, path: Path) -> Any:
    """Another process that has the lock."""
    with started(kind, path, code=HOLD) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(("kind", "lock"), [("file", locked_file), ("folder", locked_folder)])
def test_a_lock_names_its_process_and_ends_with_it(kind: str, lock: Any, tmp_path: Path) -> None:
    path = tmp_path / "out"
    with holding(kind, path) as process:
        with pytest.raises(InputError, match=rf"out: process {process.pid} \(.*\) is writing there; wait"), lock(path):
            pass
        process.kill()
        process.wait()
        # what a killed process leaves is a file, and no lock
        assert [p.name for p in tmp_path.rglob("*.lock")]
        with lock(path):
            pass
    assert not list(tmp_path.rglob(".*"))


def test_a_link_and_what_it_leads_to_are_one_output(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("out")
    refusal = pytest.raises(InputError, match="is writing there")
    with holding("file", tmp_path / "link"), refusal, locked_file(tmp_path / "out"):
        pass


def test_nothing_is_written_through_a_link_in_the_lock_s_place(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    lock = tmp_path / ".out.spikeport.lock"
    for make in (lock.symlink_to, lock.hardlink_to):
        make(tmp_path / "mine")
        with pytest.raises(InputError, match="remove it"), locked_file(tmp_path / "out"):
            pass
        lock.unlink()
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_pipe_has_no_lock(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with locked_file(tmp_path / "pipe"), locked_file(tmp_path / "pipe"):
        assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_without_locks_of_the_system_the_process_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_lock", lambda _: None)
    note = tmp_path / ".out.spikeport.lock"
    mine = {"host": locks.platform.node(), "command": "spikeport run"}
    note.write_text(json.dumps({"process": os.getppid(), **mine}))
    with pytest.raises(InputError, match=f"process {os.getppid()} "), locked_file(tmp_path / "out"):
        pass
    note.write_text(json.dumps({"process": 7, "host": "elsewhere", "command": "spikeport run"}))
    with pytest.raises(InputError, match="process 7 on elsewhere"), locked_file(tmp_path / "out"):
        pass
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    for left in (json.dumps({"process": gone.pid, **mine}), "", "[" * 9000, '{"process": "x"}'):
        note.write_text(left)
        with locked_file(tmp_path / "out"):
            assert json.loads(note.read_text())["process"] == os.getpid()
        assert not note.exists()


@pytest.fixture
def two_inputs(tmp_path: Path) -> Path:
    """A folder with m.chip, a.npy and b.npy, of one shape, and what each alone gives."""
    program = dense((40, 300, 5), 1)
    save_program(program, tmp_path / "m.chip")
    for seed, name in enumerate("ab"):
        x = spikes((100, 200, 40), 0.3, seed)
        np.save(tmp_path / f"{name}.npy", x)
        simulate(program, x).save(tmp_path / f"{name}.npz")
    return tmp_path


def test_two_simulations_with_workers_into_one_file(two_inputs: Path) -> None:
    call = ["simulate", "m.chip", "--workers", "2", "-o", "out.npz", "--input"]
    first = started(*call, "a.npy", cwd=two_inputs)
    with stopped(first, two_inputs / "out.npz.parts" / "run.json"):
        chunks = sorted(path.name for path in (two_inputs / "out.npz.parts").iterdir())
        for how in ([], ["--record", "all"]):
            second = spikeport(*call, "b.npy", *how, cwd=two_inputs)
            refused(second, "out.npz", f"process {first.pid} ", "-o")
        alone = spikeport("simulate", "m.chip", "-o", "out.npz", "--input", "b.npy", cwd=two_inputs)
        refused(alone, "out.npz", f"process {first.pid} ")
        assert set(chunks) <= {path.name for path in (two_inputs / "out.npz.parts").iterdir()}
    assert first.wait(300) == 0
    assert (two_inputs / "out.npz").read_bytes() == (two_inputs / "a.npz").read_bytes()
    assert not list(two_inputs.glob(".*")) and not list(two_inputs.glob("*.parts"))


def test_a_simulation_that_is_killed_leaves_no_lock(two_inputs: Path) -> None:
    call = ["simulate", "m.chip", "--workers", "2", "-o", "out.npz", "--input"]
    first = started(*call, "a.npy", cwd=two_inputs)
    with stopped(first, two_inputs / "out.npz.parts" / "run.json"):
        first.kill()
    first.wait(60)
    # its workers may live on for a while and write chunks of a.npy among those of b.npy
    second = spikeport(*call, "b.npy", cwd=two_inputs)
    assert second.returncode == 0, second.stderr
    assert (two_inputs / "out.npz").read_bytes() == (two_inputs / "b.npz").read_bytes()
    first.communicate()


def interrupt_after_eight(done: int, total: int) -> None:
    if done >= 8:
        raise KeyboardInterrupt


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(bytes(raw))


def foreign(path: Path) -> None:
    note = path.parent / "chunk.json"
    note.write_text(note.read_text().replace('"run": "', '"run": "f'))


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        foreign,
        lambda path: os.truncate(path, path.stat().st_size - 1),
        lambda path: os.truncate(path, 0),
        Path.unlink,
        lambda path: (path.parent / "chunk.json").unlink(),
        lambda path: (path.parent / "chunk.json").write_text("[]"),
    ],
    ids=["a bit", "foreign", "a byte less", "empty", "missing", "no note", "another note"],
)
def test_a_chunk_that_is_not_as_it_was_written_is_run_again(damage: Any, tmp_path: Path) -> None:
    program, x = dense((20, 30, 5), 1), spikes((15, 32, 20), 0.3, 2)
    simulate(program, x).save(tmp_path / "wanted.npz")
    output = tmp_path / "out.npz"
    with pytest.raises(KeyboardInterrupt):
        simulate_to_file(program, x, output, progress=interrupt_after_eight)
    chunks = sorted(path for path in Path(f"{output}.parts").iterdir() if path.is_dir())
    assert chunks
    damage(chunks[0] / "0.npy")
    simulate_to_file(program, x, output)
    assert output.read_bytes() == (tmp_path / "wanted.npz").read_bytes()


def test_chunks_that_never_stay_whole_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChunkStore, "drop_wrong", lambda self, inputs: list(inputs))
    with pytest.raises(BackendError, match="do not stay as they were written"):
        simulate_to_file(dense((5, 5), 1), spikes((4, 2, 5), 0.5, 1), tmp_path / "out.npz")


def test_an_input_that_changes_while_it_is_run_is_refused(tmp_path: Path) -> None:
    program, x = dense((20, 30, 5), 1), spikes((15, 32, 20), 0.3, 2)

    def change(done: int, total: int) -> None:
        if done >= 8:
            x[:, -1] = 1

    with pytest.raises(InputError, match=r"x.npy, samples 30 to 31: changed during the run; run it again"):
        simulate_to_file(program, x, tmp_path / "out.npz", progress=change, context="x.npy")
    assert not (tmp_path / "out.npz").exists()
    # what was run of the old input and is the new one's, too, is kept
    simulate_to_file(program, x, tmp_path / "out.npz")
    simulate(program, x).save(tmp_path / "wanted.npz")
    assert (tmp_path / "out.npz").read_bytes() == (tmp_path / "wanted.npz").read_bytes()


def test_what_is_run_is_what_was_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program, x = dense((20, 30, 5), 1), spikes((15, 4, 20), 0.3, 2)
    simulate(program, x).save(tmp_path / "wanted.npz")

    def changing(program: Any, given: Any, *others: Any, **more: Any) -> Any:
        x[...] = 0
        return simulate(program, given, *others, **more)

    monkeypatch.setattr(workers, "simulate", changing)
    monkeypatch.setattr(workers, "split_samples", lambda *_: [(0, 4)])
    simulate_to_file(program, x, tmp_path / "out.npz")
    assert (tmp_path / "out.npz").read_bytes() == (tmp_path / "wanted.npz").read_bytes()


@pytest.mark.parametrize(
    "command",
    [
        ["train"],
        pytest.param(["run"], marks=pytest.mark.slow),
        pytest.param(["sweep", "--over", "steps=2,3"], marks=pytest.mark.slow),
    ],
    ids=lambda command: command[0],
)
def test_two_runs_into_one_folder(command: list[str], tmp_path: Path) -> None:
    for name, epochs in (("first", 4), ("second", 2)):
        (tmp_path / f"{name}.toml").write_text(RECIPE.replace("EPOCHS", str(epochs)))
    name, *options = command
    first = started(name, "first.toml", *options, "--out", "out", cwd=tmp_path)
    with stopped(first, tmp_path / "out" / "recipe.toml"):
        for more in ([], ["--overwrite"]) if name == "train" else ([],):
            second = spikeport(name, "second.toml", *options, "--out", "out", *more, cwd=tmp_path)
            refused(second, "out", f"process {first.pid} ", "--out")
        assert "epochs = 4" in (tmp_path / "out" / "recipe.toml").read_text()
    _, errors = first.communicate(timeout=400)
    assert first.returncode == 0, errors
    assert not list((tmp_path / "out").glob(".*"))


def test_dumps_of_two_compilations_do_not_mix(tmp_path: Path) -> None:
    import nir
    from command import graph

    nir.write(str(tmp_path / "m.nir"), graph())
    call = ["compile", "m.nir", "--chip", "loihi2", "-o", "m.chip"]
    with holding("folder", tmp_path / "dump") as process:
        refused(spikeport(*call, "--dump", "dump", cwd=tmp_path), "dump", f"process {process.pid} ", "--dump")
    with holding("file", tmp_path / "m.chip") as process:
        refused(spikeport(*call, cwd=tmp_path), "m.chip", f"process {process.pid} ", "-o")
    assert spikeport(*call, "--dump", "dump", cwd=tmp_path).returncode == 0
