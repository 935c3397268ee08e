"""Sweeps: one training for all that shares one, finished points kept, a front that no point beats."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from command import refused, spikeport
from hypothesis import given
from hypothesis import strategies as st
from places import ROOT
from worker_cases import killer

import spikeport.run.stages as spikeport_stages
from spikeport.common.errors import BackendError, InputError
from spikeport.lava_runtime.workers import run_until_done
from spikeport.run.recipe import Recipe
from spikeport.sweep import Grid, Sweep, run_sweep
from spikeport.sweep.grid import Point, with_values
from spikeport.sweep.pareto import front
from spikeport.sweep.point import Job, train
from spikeport.trainer.loop.checkpoint import restore
from spikeport.trainer.loop.training_loop import DivergedError
from spikeport.trainer.tensor_files.tensor_files import read_tensors

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RECIPE = """
name = "tiny"
dataset = "digits"
dt = 1e-4
[network]
layers = [{ kind = "dense", size = 12 }]
[training]
epochs = 2
steps = 4
learning_rate = 0.01
"""
AXES = ["weight_bits=2,8", "chip=loihi1,loihi2"]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweep") / "tiny.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def swept(recipe: Path) -> Sweep:
    return run_sweep(recipe, Grid.parse(AXES), recipe.parent / "out")


def test_every_point_is_measured_on_one_training(recipe: Path, swept: Sweep) -> None:
    wanted = [{"weight_bits": b, "chip": c} for b in (2, 8) for c in ("loihi1", "loihi2")]
    assert [row["values"] for row in swept.rows] == wanted
    assert swept.grid.retrained == []
    assert [p.name for p in (recipe.parent / "out" / "trained").iterdir()] == ["as_the_recipe_says"]
    for row in swept.rows:
        assert 0 <= row["accuracy"] <= 1
        assert row["energy_low_j"] <= row["energy_j"] <= row["energy_high_j"]
        assert row["cores"] >= 1
        assert row["fits"]
    # the chips hold the same integers, so that their answers are the same, too
    assert swept.rows[2]["accuracy"] == swept.rows[3]["accuracy"]
    assert swept.rows[2]["energy_j"] != swept.rows[3]["energy_j"]


def test_files_say_what_was_found(recipe: Path, swept: Sweep) -> None:
    folder = recipe.parent / "out"
    assert json.loads((folder / "sweep.json").read_text()) == swept.to_dict()
    rows = list(csv.DictReader((folder / "sweep.csv").read_text().splitlines()))
    assert [float(row["accuracy"]) for row in rows] == [row["accuracy"] for row in swept.rows]
    assert [row["pareto"] == "True" for row in rows] == [n in swept.front for n in range(4)]
    picture = (folder / "pareto.svg").read_text()
    assert picture.count("<circle") == 4
    assert "estimate" in picture


def test_a_sweep_goes_on_where_it_was_ended_and_grows(recipe: Path, swept: Sweep) -> None:
    folder = recipe.parent / "out"
    points = sorted((folder / "points").iterdir())
    network = folder / "trained" / "as_the_recipe_says" / "network.safetensors"
    before = {path: path.stat().st_mtime_ns for path in (*points, network)}
    points[0].unlink()
    again = run_sweep(recipe, Grid.parse(AXES), folder)
    assert again == swept
    larger = run_sweep(recipe, Grid.parse(["weight_bits=2,8,5", AXES[1]]), folder)
    assert [row for row in larger.rows if row["values"]["weight_bits"] != 5] == swept.rows
    assert len(larger.rows) == 6
    assert all(path.stat().st_mtime_ns == before[path] for path in (*points[1:], network))
    changed = recipe.parent / "changed.toml"
    changed.write_text(RECIPE.replace("epochs = 2", "epochs = 3"))
    with pytest.raises(InputError, match="sweep of another recipe"):
        run_sweep(changed, Grid.parse(AXES), folder)


def test_keys_of_the_training_are_trained_for_value_by_value_by_worker_processes(recipe: Path, tmp_path: Path) -> None:
    # several keys behind one --over, or each behind its own
    axes = ["--over", "steps=3,4", "training.epochs=1", "--workers", "2"]
    ran = spikeport("sweep", recipe, *axes, "--out", tmp_path / "out", "--json", tmp_path / "found.json")
    assert ran.returncode == 0, ran.stderr
    assert "trained for each value: steps, training.epochs" in ran.stdout
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["retrained"] == ["steps", "training.epochs"]
    assert len(list((tmp_path / "out" / "trained").iterdir())) == 2
    alone = run_sweep(recipe, Grid.parse(["steps=3,4", "training.epochs=1"]), tmp_path / "alone")
    assert alone.rows == found["points"]


@pytest.mark.slow
def test_a_sweep_that_is_killed_in_a_training_goes_on_from_its_checkpoint(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs, folder = "training.epochs=24", tmp_path / "out"
    trained = folder / "trained" / epochs
    command = [
        sys.executable,
        "-m",
        "spikeport.commands.cli",
        "sweep",
        str(recipe),
        "--over",
        epochs,
        "--out",
        str(folder),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while time.monotonic() < end and running.poll() is None and not epochs_done(trained / "checkpoint.safetensors"):
        time.sleep(0.02)
    running.kill()
    assert running.wait() == -signal.SIGKILL
    assert not (trained / "network.safetensors").exists()
    went_on_from: list[int] = []

    def restored(*arguments: Any) -> Any:
        done = restore(*arguments)
        went_on_from.append(done.epoch)
        return done

    monkeypatch.setattr("spikeport.trainer.loop.training_loop.restore", restored)
    found = run_sweep(recipe, Grid.parse([epochs]), folder)
    assert [0 < epoch < 24 for epoch in went_on_from] == [True]
    whole = run_sweep(recipe, Grid.parse([epochs]), tmp_path / "whole")
    assert found.rows == whole.rows
    one, other = (
        read_tensors(place / "trained" / epochs / "network.safetensors", "network")["state"]
        for place in (folder, tmp_path / "whole")
    )
    assert all(torch.equal(one[name], other[name]) for name in other)


def epochs_done(checkpoint: Path) -> int:
    return len(read_tensors(checkpoint, "checkpoint")["losses"]) if checkpoint.exists() else 0


@pytest.mark.slow
def test_a_dask_cluster_finds_what_one_process_does_also_after_a_worker_is_killed(recipe: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    grid = Grid.parse(["steps=3,4", "weight_bits=3,8"])
    alone = run_sweep(recipe, grid, tmp_path / "alone")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        address, (kill_once, killed) = cluster.scheduler_address, killer(cluster)
        assert run_sweep(recipe, grid, tmp_path / "cluster", cluster=address, progress=kill_once) == alone
        axes = "--over", "steps=3,4", "weight_bits=3,8"
        ran = spikeport("sweep", recipe, *axes, "--cluster", address, "--out", tmp_path / "command", "--json")
    assert killed
    assert ran.returncode == 0, ran.stderr
    for name in ("sweep.json", "sweep.csv", "pareto.svg"):
        assert (tmp_path / "command" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_named(recipe: Path, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    ran = spikeport("sweep", recipe, "--over", "steps=3", "--cluster", "tcp://127.0.0.1:9", "--out", tmp_path / "out")
    refused(ran, "--cluster tcp://127.0.0.1:9", "no dask scheduler answers there")


def test_a_job_whose_worker_is_lost_is_run_again() -> None:
    done: set[int] = set()
    runs: list[list[int]] = []

    def missing() -> list[int]:
        return [n for n in range(4) if n not in done]

    def run(left: list[int]) -> None:
        runs.append(left)
        done.add(left[0])
        if left[1:]:
            raise OSError("a worker is gone")

    run_until_done(missing, run, str)
    assert runs == [[0, 1, 2, 3], [1, 2, 3], [2, 3], [3]]
    with pytest.raises(BackendError, match=r"job 7 could not be run: the worker was lost 3 times"):
        run_until_done(lambda: [7], lambda _: None, "job {}".format)


def test_a_training_that_diverges_is_a_point_without_a_result(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = spikeport_stages.train_network

    def diverging(recipe: Recipe, *arguments: Any, **options: Any) -> Any:
        if recipe.training.steps == 3:
            raise DivergedError("the loss of epoch 1 is not finite")
        return fit(recipe, *arguments, **options)

    monkeypatch.setattr(spikeport_stages, "train_network", diverging)
    found = run_sweep(recipe, Grid.parse(["steps=3,4"]), tmp_path / "out")
    assert found.rows[0] == {"values": {"steps": 3}, "error": "the loss of epoch 1 is not finite"}
    assert found.front == [1]


def test_a_point_that_cannot_be_compiled_says_why(recipe: Path, swept: Sweep) -> None:
    found = run_sweep(recipe, Grid.parse(["weight_bits=8,99"]), recipe.parent / "out")
    assert "accuracy" in found.rows[0]
    assert "99" in found.rows[1]["error"]
    assert found.front == [0]


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        ("weight_bit=4", "did you mean 'weight_bits'"),
        ("training.epoch=4", "did you mean"),
        ("weight_bits", "is not KEY=VALUE"),
        ("weight_bits=4,,6", "is not KEY=VALUE"),
        ("chip=loihi3", "loihi3"),
        ("epochs=many", "training.epochs"),
        ("network.layers.size=4", "layers"),
        ("task=spike_count,multi_label", r"different metrics \(accuracy, f1\)"),
    ],
)
def test_wrong_keys_and_values_are_refused_before_anything_is_trained(
    recipe: Path, tmp_path: Path, axis: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        run_sweep(recipe, Grid.parse([axis]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_refuses_in_one_sentence(recipe: Path, tmp_path: Path) -> None:
    refused(spikeport("sweep", recipe, "--over", "weight_bit=4", "--out", tmp_path / "out"), "'weight_bits'")


def test_points_that_differ_share_no_network_and_no_result(tmp_path: Path) -> None:
    content = parsed(RECIPE)
    values = ("a/b", "a_b", "a b", "a\nb", "ä" * 300, "ä" * 299, 1, 1.0, True, "1.5", 1.5)
    points = [Point({"data": value}, {}) for value in values]
    jobs = [Job(point, content, "tiny.toml", tmp_path) for point in points]
    names = [job.trained.path.name for job in jobs]
    # a text "1.5" cannot be given on the command line, where it is a number
    assert len(set(names)) == len(values) - 1
    assert all(len(os.fsencode(name)) <= 255 for name in names)
    assert Grid.parse(["tensorboard=true,1,1.0,1"]).axes == {"tensorboard": (True, 1, 1.0)}
    assert [type(value) for value in Grid.parse(["tensorboard=true,1,1.0,1"]).axes["tensorboard"]] == [bool, int, float]


@pytest.mark.parametrize(("given_threads", "used"), [(0, 1), (2, 2)])
def test_a_point_is_trained_on_one_thread_or_the_recipe_s(
    given_threads: int, used: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def look(*_: Any, **__: Any) -> None:
        seen.append(torch.get_num_threads())

    monkeypatch.setattr(spikeport_stages, "train_network", look)
    content = parsed(RECIPE + f"threads = {given_threads}\n")
    before = torch.get_num_threads()
    train(Job(Point({}, {}), content, "tiny.toml", tmp_path))
    assert seen == [used] and torch.get_num_threads() == before


def parsed(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def test_keys_are_found_in_their_tables() -> None:
    content: dict[str, Any] = {"name": "n", "training": {"steps": 4}}
    found = with_values(content, {"steps": 8, "dv": 0.2, "chip": "loihi1", "training.options.margin": 0.1})
    assert found == {
        "name": "n", "chip": "loihi1", "network": {"dv": 0.2}, "training": {"steps": 8, "options": {"margin": 0.1}},
    }  # fmt: skip
    assert content == {"name": "n", "training": {"steps": 4}}


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 6), st.booleans()), max_size=12),
)
def test_the_front_holds_what_no_other_beats(points: list[tuple[int, int, bool]]) -> None:
    rows = [{"accuracy": a, "energy_j": e, "fits": f} for a, e, f in points]
    found = front(rows)

    def beaten(n: int) -> bool:
        a, e, _ = points[n]
        return any(
            f and oa >= a and oe <= e and ((oa, oe) != (a, e) or other < n) for other, (oa, oe, f) in enumerate(points)
            if other != n
        )  # fmt: skip

    assert sorted(found) == [n for n in range(len(points)) if points[n][2] and not beaten(n)]
