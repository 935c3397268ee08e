"""A training or a run in a folder: not replaced unless asked for, and then when the new one is complete."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from command import refused, spikeport
from overwriting_cases import RECIPE, contents, refusal
from two_processes import started, stopped

import spikeport as sp
from spikeport.commands import cli
from spikeport.common.errors import InputError
from spikeport.run.claim import checkpoint_of, claimed, new_folder
from spikeport.run.run_folder import RunFolder
from spikeport.trainer.methods.bptt import Bptt
from spikeport.tuning.checkpoint import TuneCheckpoint

OTHER = RECIPE.replace("size = 16", "size = 8")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a.toml, b.toml, diverging.toml and A, where a.toml has been run."""
    folder = tmp_path_factory.mktemp("trained")
    for name, text in (("a", RECIPE), ("b", OTHER)):
        (folder / f"{name}.toml").write_text(text)
    sp.run_recipe(folder / "a.toml", folder / "A")
    return folder


@pytest.fixture
def place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of it as the current folder; A holds a training only."""
    shutil.copytree(trained, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    for name in ("summary.json", "report.html", "model.nir", "model.chip", "result.npz"):
        (tmp_path / "copy" / "A" / name).unlink()
    return tmp_path / "copy"


@pytest.mark.parametrize("command", ["train", "run"])
def test_a_training_is_not_replaced_unless_asked_for(
    command: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(place / "A")
    for recipe in ("b.toml", "a.toml"):
        said = refusal(monkeypatch, command, recipe, "--out", "A")
        assert "--resume" in said and "--overwrite" in said and "A: holds a training" in said
    # another recipe's checkpoint
    assert "another configuration" in refusal(monkeypatch, command, "b.toml", "--out", "A", "--resume")
    assert contents(place / "A") == before
    # nothing to go on from
    found = checkpoint_of(place / "A")
    assert found is not None
    found.unlink()
    before = contents(place / "A")
    said = refusal(monkeypatch, command, "b.toml", "--out", "A", "--resume")
    assert "no checkpoint to resume from" in said and contents(place / "A") == before


@pytest.mark.parametrize("command", ["train", "run"])
def test_a_training_that_was_interrupted_is_not_discarded(command: str, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(RECIPE.replace("epochs = 2", "epochs = 200"))
    running = started(command, "a.toml", "--out", "A", cwd=tmp_path)
    with stopped(running, tmp_path / "A" / "checkpoint.csv"):
        running.send_signal(signal.SIGINT)
    running.communicate(timeout=300)
    assert running.returncode == 130
    before = contents(tmp_path / "A")
    refused(spikeport(command, "a.toml", "--out", "A", cwd=tmp_path), "A", "--resume", "--overwrite")
    assert contents(tmp_path / "A") == before and checkpoint_of(tmp_path / "A") is not None


def test_a_resumed_training_keeps_the_new_recipe(place: Path) -> None:
    # what concerns no weight may differ
    (place / "a.toml").write_text(RECIPE.replace("server_cpu", "jetson_tx1"))
    run = sp.run_recipe(place / "a.toml", place / "A", resume=True)
    assert list(run.parts()["ann"]) == ["jetson_tx1"]
    assert (place / "A" / "recipe.toml").read_bytes() == (place / "a.toml").read_bytes()


def test_overwriting_replaces_all_of_a_run_when_the_new_one_is_complete(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "A"
    shutil.copytree(trained / "A", out)
    (out / "notes.txt").write_text("mine")
    old = contents(out)
    seen: list[dict[str, bytes]] = []
    from spikeport.run import whole_run as run

    real = run.print_summary

    def look(*arguments: Any) -> None:
        # all of the new run is written
        seen.append(contents(out))
        real(*arguments)

    monkeypatch.setattr(run, "print_summary", look)
    sp.run_recipe(trained / "b.toml", out, overwrite=True)
    assert {name: seen[0][name] for name in old} == old
    new = contents(out)
    assert set(new) == set(old) and new["notes.txt"] == b"mine"
    assert new["recipe.toml"] == OTHER.encode() and new["summary.json"] != old["summary.json"]
    assert sp.open_run(out).parts()["commands"][0].endswith(f"--out {out}")
    alone = sp.run_recipe(trained / "b.toml", tmp_path / "alone")
    for name in ("model.chip", "result.npz", "test_input.npy", "raster.npz"):
        assert new[name] == (tmp_path / "alone" / name).read_bytes(), name
    assert alone.parts()["accuracy"] == sp.open_run(out).parts()["accuracy"]


@pytest.mark.parametrize("command", ["train", "run"])
def test_overwriting_that_fails_leaves_the_old_run(
    command: str, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "A"
    shutil.copytree(trained / "A", out)
    old = contents(out)
    recipe = str(trained / "b.toml")
    monkeypatch.setattr(Bptt, "loss", infinite)
    assert "diverged" in refusal(monkeypatch, command, recipe, "--out", str(out), "--overwrite")
    assert {name: content for name, content in contents(out).items() if not name.startswith(".spikeport-new/")} == old
    said = refusal(monkeypatch, command, str(trained / "a.toml"), "--out", str(out))
    assert "--overwrite --resume" in said
    # refused before anything has begun, it leaves nothing
    shutil.rmtree(out / ".spikeport-new")
    wrong = refusal(monkeypatch, command, str(trained / "b.toml"), "--out", str(out), "--overwrite", "--resume")
    assert "another configuration" in wrong
    monkeypatch.setattr("spikeport.run.stages.load_dataset", fail)
    assert "no data" in refusal(monkeypatch, command, recipe, "--out", str(out), "--overwrite")
    assert contents(out) == old and sorted(path.name for path in out.iterdir()) == sorted(old)


def infinite(self: Bptt, network: Any, x: Any, y: Any) -> torch.Tensor:
    return network(x).sum() * float("inf")  # type: ignore[no-any-return]


def fail(*_: Any, **__: Any) -> None:
    raise InputError("no data")


def test_overwriting_that_was_interrupted_goes_on(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "A"
    shutil.copytree(trained / "A", out)
    old = contents(out)
    (tmp_path / "long.toml").write_text(OTHER.replace("epochs = 2", "epochs = 20"))
    running = started("train", "long.toml", "--out", "A", "--overwrite", cwd=tmp_path)
    with stopped(running, out / ".spikeport-new" / "checkpoint.csv"):
        running.kill()
    running.communicate(timeout=300)
    assert {name: content for name, content in contents(out).items() if name in old} == old
    went_on: list[int] = []
    from spikeport.trainer.loop import training_loop as loop

    real = loop.restore

    def restored(*arguments: Any) -> Any:
        done = real(*arguments)
        went_on.append(done.epoch)
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "restore", restored)
        patch.chdir(tmp_path)
        patch.setattr(sys, "argv", ["spikeport", *["train", "long.toml", "--out", "A", "--overwrite", "--resume"]])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert ended.value.code == 0 and 0 < went_on[0] <= 20
    assert "epochs = 20" in (out / "recipe.toml").read_text()
    # nothing of the old run stays that is none of the new training's
    assert not (out / "summary.json").exists() and not (out / "model.chip").exists()
    assert not list(out.glob(".*"))


@pytest.mark.parametrize("moves", range(4))
def test_moving_in_goes_on_where_it_was_ended(moves: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path / "A")
    folder.path.mkdir()
    for name in ("summary.json", "network.pt", "recipe.toml", "raster.npz"):
        (folder.path / name).write_text("old")
    real, left = Path.replace, [moves]

    def replace(path: Path, target: Path) -> Any:
        if path.parent.name == ".spikeport-done":
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
        return real(path, target)

    monkeypatch.setattr(Path, "replace", replace)

    def write() -> None:
        with claimed(folder, resume=False, overwrite=True) as place:
            for name in ("summary.json", "network.pt", "recipe.toml"):
                (place.path / name).write_text("new")

    if moves < 3:
        with pytest.raises(KeyboardInterrupt):
            write()
        # half of it is no finished run
        assert not folder.finished
        left[0] = 3
        with pytest.raises(InputError, match="holds a finished run"), claimed(folder, resume=True, overwrite=False):
            pass
    else:
        write()
    assert contents(folder.path) == dict.fromkeys(("summary.json", "network.pt", "recipe.toml"), b"new")
    assert not list(folder.path.glob(".*"))


def test_runs_and_sweeps_have_folders_of_their_own(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained / "A", tmp_path / "A")
    before = contents(tmp_path / "A")
    call = ("sweep", str(trained / "a.toml"), "--over", "weight_bits=4", "--out", str(tmp_path / "A"))
    assert "holds a run" in refusal(monkeypatch, *call)
    assert contents(tmp_path / "A") == before
    (tmp_path / "S" / "points").mkdir(parents=True)
    for more in ((), ("--overwrite",), ("--resume",)):
        said = refusal(monkeypatch, "run", str(trained / "a.toml"), "--out", str(tmp_path / "S"), *more)
        assert "holds a sweep" in said
    assert [path.name for path in (tmp_path / "S").iterdir()] == ["points"]


def test_a_default_folder_with_a_training_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "r").mkdir(parents=True)
    (tmp_path / "runs" / "r" / "checkpoint.pt").write_text("")
    assert new_folder(None, "r", overwrite=False).path == Path("runs/r-2")
    assert new_folder(None, "r", overwrite=False, resume=True).path == Path("runs/r")
    assert new_folder(None, "r", overwrite=True).path == Path("runs/r")


def test_data_that_are_missing_leave_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(RECIPE.replace('"digits"', '"ti46_digits"\ndata = "nowhere"'))
    refused(spikeport("train", "a.toml", "--out", "new/A", cwd=tmp_path), "nowhere")
    assert [path.name for path in tmp_path.iterdir()] == ["a.toml"]


def test_what_a_killed_run_left_half_written_is_removed(tmp_path: Path) -> None:
    left = [".checkpoint.safetensors.ab_cd012.safetensors", ".checkpoint.integers.safetensors.abcdefgh.safetensors",
            ".network.safetensors.abcdefgh.safetensors", ".test_input.npy.abcdefgh.npy",
            ".spikeport-new/.checkpoint.csv.abcdefgh.csv"]  # fmt: skip
    kept = [".mine.npy.abcdefgh.npy", ".checkpoint.safetensors", "a.npy"]
    (tmp_path / ".spikeport-new").mkdir()
    for name in (*left, *kept):
        (tmp_path / name).write_text("half")
    with claimed(RunFolder(tmp_path), resume=False, overwrite=False):
        assert not any((tmp_path / name).exists() for name in left)
        assert all((tmp_path / name).exists() for name in kept)


def test_what_a_killed_tuning_left_half_written_is_removed(tmp_path: Path) -> None:
    left = tmp_path / ".tuned.nir.checkpoint.abcdefgh.checkpoint"
    left.write_text("half")
    TuneCheckpoint(tmp_path / "tuned.nir.checkpoint").check_start()
    assert not left.exists()
