"""Whole data sets by worker processes: the same bytes whatever their number, nothing lost with one that is killed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from calibration_cases import two_inputs
from command import refused, spikeport
from programs import dense, every_kind, spikes
from worker_cases import killer

from spikeport.common.errors import BackendError, InputError
from spikeport.exporter.compile import compile_graph
from spikeport.exporter.program.chip_file import save_program
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime import workers
from spikeport.lava_runtime.inputs import load_input
from spikeport.lava_runtime.simulate import simulate
from spikeport.lava_runtime.workers import simulate_to_file


def at_once(program: ChipProgram, x: Any, path: Path, **how: Any) -> bytes:
    """The file that one run in this process saves."""
    simulate(program, x, **how).save(path)
    return path.read_bytes()


@pytest.mark.parametrize("record", ["spikes", "all"])
def test_one_and_two_workers_write_the_bytes_of_a_run_at_once(record: Any, tmp_path: Path) -> None:
    program, x = every_kind(3), spikes((12, 37, 3, 8, 9), 0.2, 1)
    wanted = at_once(program, x, tmp_path / "at_once.npz", steps=15, record=record)
    for count in (1, 2):
        said: list[tuple[int, int]] = []
        output = tmp_path / f"{count}.npz"
        found = simulate_to_file(
            program, x, output, steps=15, record=record, workers=count, progress=lambda *n, said=said: said.append(n)
        )
        assert output.read_bytes() == wanted
        assert (found.samples, found.steps) == (37, 15)
        assert said[0] == (0, 37) and said[-1] == (37, 37) and said == sorted(said)
    with np.load(tmp_path / "2.npz") as file:
        assert found.output_spikes == file["counts/fc"].sum()
    assert not list(tmp_path.glob("*.parts"))


def both_inputs(samples: int) -> dict[str, Any]:
    return {"left": spikes((12, samples, 3), 0.4, 1), "right": spikes((12, samples, 2, 2), 0.4, 2)}


def interrupt_after_eight(done: int, total: int) -> None:
    if done >= 8:
        raise KeyboardInterrupt


def test_several_inputs_are_cut_alike(tmp_path: Path) -> None:
    program, x = compile_graph(two_inputs(), load_chip("loihi2")), both_inputs(37)
    wanted = at_once(program, x, tmp_path / "at_once.npz", record="all")
    for count in (1, 2):
        output = tmp_path / f"{count}.npz"
        found = simulate_to_file(program, x, output, record="all", workers=count)
        assert output.read_bytes() == wanted
        assert (found.samples, found.steps) == (37, 13)
    for given, words in (
        ({**x, "right": x["right"][:, :36]}, "different numbers of time steps or samples"),
        ({"left": x["left"]}, "holds left, but the inputs are left, right"),
        ({}, "holds nothing"),
        (x["left"], "several inputs"),
    ):
        with pytest.raises(InputError, match=words):
            simulate_to_file(program, given, tmp_path / "out.npz", context="x.npz")


def test_one_of_several_inputs_that_changed_is_run_again(tmp_path: Path) -> None:
    program, x = compile_graph(two_inputs(), load_chip("loihi2")), both_inputs(32)

    output = tmp_path / "out.npz"
    with pytest.raises(KeyboardInterrupt):
        simulate_to_file(program, x, output, progress=interrupt_after_eight)
    x["right"] = 1 - x["right"]
    said: list[int] = []
    simulate_to_file(program, x, output, progress=lambda done, _: said.append(done))
    assert said[0] == 0 and output.read_bytes() == at_once(program, x, tmp_path / "at_once.npz")


def test_payloads_and_a_recording_on_disk_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_MEMORY_BYTES", 0)
    # a pool of one runs in this process, where the limit is 0
    program, x = every_kind(3), spikes((9, 18, 3, 8, 9), 0.2, 1).astype(np.int16) * 3 - 1
    np.save(tmp_path / "x.npy", x)
    wanted = at_once(program, x, tmp_path / "at_once.npz", record="all")
    simulate_to_file(program, load_input(tmp_path / "x.npy"), tmp_path / "out.npz", record="all")
    assert (tmp_path / "out.npz").read_bytes() == wanted


def test_a_killed_worker_loses_no_result(tmp_path: Path) -> None:
    from joblib.externals.loky import reusable_executor

    program, x = dense((40, 300, 5), 1), spikes((200, 64, 40), 0.3, 2)
    wanted = at_once(program, x, tmp_path / "at_once.npz")
    killed: list[int] = []

    def kill_once(done: int, total: int) -> None:
        if 0 < done < total and not killed:
            killed.append(next(iter(reusable_executor._executor._processes)))
            os.kill(killed[0], signal.SIGKILL)

    simulate_to_file(program, x, tmp_path / "out.npz", workers=2, progress=kill_once)
    assert killed and (tmp_path / "out.npz").read_bytes() == wanted


def test_a_run_that_was_ended_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, x = dense((20, 30, 5), 1), spikes((15, 32, 20), 0.3, 2)
    wanted = at_once(program, x, tmp_path / "at_once.npz")

    output = tmp_path / "out.npz"
    with pytest.raises(KeyboardInterrupt):
        simulate_to_file(program, x, output, progress=interrupt_after_eight)
    assert not output.exists() and (tmp_path / "out.npz.parts").is_dir()
    said: list[int] = []
    simulate_to_file(program, x, output, progress=lambda done, _: said.append(done))
    assert said[0] >= 8 and output.read_bytes() == wanted
    # another run's parts are not taken for this one's
    with pytest.raises(KeyboardInterrupt):
        simulate_to_file(program, 1 - x, output, progress=interrupt_after_eight)
    said.clear()
    simulate_to_file(program, x, output, progress=lambda done, _: said.append(done))
    assert said[0] == 0 and output.read_bytes() == wanted


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out.npz.parts").mkdir()
    with pytest.raises(InputError, match="is in the way of a run's chunks"):
        simulate_to_file(dense((5, 5), 1), spikes((4, 2, 5), 0.5, 1), tmp_path / "out.npz")


def test_workers_that_are_lost_again_and_again_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(task: Any, store: Any) -> None:
        raise RuntimeError("gone\nand more")

    monkeypatch.setattr(workers, "_run_to_disk", lose)
    with pytest.raises(BackendError, match=r"samples 0 to 0 could not be run: .* 3 times \(RuntimeError: gone\)"):
        simulate_to_file(dense((5, 5), 1), spikes((4, 2, 5), 0.5, 1), tmp_path / "out.npz")


def test_a_full_disk_is_called_that(tmp_path: Path) -> None:
    small, program = tmp_path / "small", dense((20, 30, 5), 1)
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(small)], check=False).returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        for count in (1, 2):
            with pytest.raises(InputError, match=r"out.npz.parts: No space left on device; free some space"):
                simulate_to_file(program, spikes((400, 64, 20), 0.3, 2), small / "out.npz", record="all", workers=count)
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_what_the_system_refuses_the_workers_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(task: Any, store: Any) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(workers, "_run_to_disk", refuse)
    with pytest.raises(BackendError, match=r"worker processes.*: Too many open files; .*ulimit -n 4096"):
        simulate_to_file(dense((5, 5), 1), spikes((4, 2, 5), 0.5, 1), tmp_path / "out.npz")


def test_bad_input_names_the_samples_before_anything_runs(tmp_path: Path) -> None:
    program, x = dense((5, 5), 1), spikes((4, 40, 5), 0.5, 1).astype(float)
    x[2, 33, 1] = np.nan
    with pytest.raises(InputError, match=r"x.npy, samples 33 to 35: holds NaN"):
        simulate_to_file(program, x, tmp_path / "out.npz", context="x.npy")
    with pytest.raises(InputError, match="workers is 0"):
        simulate_to_file(program, x, tmp_path / "out.npz", workers=0)
    with pytest.raises(InputError, match="holds no samples"):
        simulate_to_file(program, x[:, :0], tmp_path / "out.npz")


@pytest.mark.lava
def test_lava_in_chunks_gives_the_emulator_s_bytes(tmp_path: Path) -> None:
    program, x = dense((10, 8, 3), 1), spikes((6, 3, 10), 0.4, 2)
    wanted = at_once(program, x, tmp_path / "at_once.npz")
    simulate_to_file(program, x, tmp_path / "out.npz", "lava", workers=2)
    assert (tmp_path / "out.npz").read_bytes() == wanted


def test_the_command_takes_workers(tmp_path: Path) -> None:
    save_program(dense((20, 30, 5), 1), tmp_path / "model.chip")
    np.save(tmp_path / "x.npy", spikes((15, 32, 20), 0.3, 2))
    plain = ["simulate", "model.chip", "--input", "x.npy", "-o"]
    assert spikeport(*plain, "a.npz", cwd=tmp_path).returncode == 0
    result = spikeport(*plain, "b.npz", "--workers", "2", cwd=tmp_path)
    assert result.returncode == 0 and "b.npz: 32 samples of 15 steps, run for 17 steps" in result.stdout
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    nir.write(str(tmp_path / "two.nir"), two_inputs())
    np.savez(tmp_path / "x.npz", **both_inputs(20))
    many = ["simulate", "two.nir", "--chip", "loihi2", "--input", "x.npz", "--calibrate", "x.npz", "-o"]
    for name, how in (("d", []), ("e", ["--workers", "2"])):
        result = spikeport(*many, f"{name}.npz", *how, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
    assert (tmp_path / "d.npz").read_bytes() == (tmp_path / "e.npz").read_bytes()
    refused(spikeport(*many, "f.h5", "--workers", "2", cwd=tmp_path), "f.h5", ".npz")
    np.save(tmp_path / "left.npy", both_inputs(20)["left"])
    refused(spikeport(*many[:-2], "left.npy", "-o", "f.npz", cwd=tmp_path), "left, right", ".npz")
    both = spikeport(*plain, "c.npz", "--workers", "2", "--cluster", "tcp://127.0.0.1:1", cwd=tmp_path)
    assert both.returncode == 2 and "either --workers or --cluster" in both.stderr


@pytest.mark.slow
def test_a_dask_cluster_writes_the_same_bytes_also_after_one_worker_is_killed(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    program, x = dense((40, 300, 5), 1), spikes((200, 64, 40), 0.3, 2)
    wanted = at_once(program, x, tmp_path / "at_once.npz", record="all")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        address, (kill_once, killed) = cluster.scheduler_address, killer(cluster)
        for number, progress in enumerate((None, kill_once)):
            output = tmp_path / f"{number}.npz"
            simulate_to_file(program, x, output, record="all", cluster=address, progress=progress)
            assert output.read_bytes() == wanted
        several = compile_graph(two_inputs(), load_chip("loihi2"))
        simulate_to_file(several, both_inputs(37), tmp_path / "several.npz", cluster=address)
    assert killed
    assert (tmp_path / "several.npz").read_bytes() == at_once(several, both_inputs(37), tmp_path / "wanted.npz")


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_named(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    with pytest.raises(InputError, match=r"--cluster tcp://127.0.0.1:9: no dask scheduler answers there"):
        simulate_to_file(dense((5, 5), 1), spikes((4, 2, 5), 0.5, 1), tmp_path / "out.npz", cluster="tcp://127.0.0.1:9")
