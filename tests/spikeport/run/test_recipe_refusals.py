"""Recipes that cannot be run: refused before the training, in one sentence that names the key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import refused, spikeport

from spikeport.common.errors import InputError
from spikeport.run.recipe import load_recipe

RECIPE = """\
name = "small"
dataset = "digits"
chip = "loihi2"
devices = ["server_cpu"]
backends = []
[network]
layers = [{ kind = "dense", size = 8 }]
vth = 1.0
payload = 1
[training]
epochs = 1
steps = 4
batch_size = 64
accumulate = 1
seed = 0
encoding = "integrate"
[training.sparsity]
penalty = 0.0
target = []
"""


def changed(folder: Path, *changes: tuple[str, str]) -> Path:
    text = RECIPE
    for key, value in changes:
        (line,) = [line for line in text.splitlines() if line.startswith(f"{key} = ")]
        text = text.replace(line, f"{key} = {value}")
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([("vth", "inf")], "'network.vth' must be a finite number, not inf"),
        ([("penalty", "nan")], "'training.sparsity.penalty' must be a finite number, not nan"),
        ([("target", "[inf]")], r"'training.sparsity.target.0' must be a finite number"),
        ([("seed", "4294967296")], "seed must be at most 4294967295"),
        ([("batch_size", "1")], "'training.batch_size': batch norm needs at least two samples"),
        ([("accumulate", "40")], "'training.batch_size': batch norm needs at least two samples"),
        (
            [("chip", '"loihi1"'), ("seed", '0\ntask = "regression"')],
            "'training.task': task 'regression' reads the output's voltage, but loihi1's spikes carry no payload",
        ),
        ([("seed", '0\nmethod = "st_rsbp"\ntask = "membrane"')], "method 'st_rsbp' has a loss of its own"),
        ([("payload", '1\nchip_aware = 0\nsign_modes = "split"')], "'network.sign_modes': has no effect on a training"),
        ([("chip", '"loihi2"\noptimise = "speed"')], "'optimise': input should be 'time', 'energy' or 'cores'"),
        ([("payload", "8")], "recipe.toml: payload above 1 and encoding"),
        (
            [("seed", '0\nloss = "mse_cuont"')],
            "unknown loss of task 'spike_count' 'mse_cuont'; did you mean 'mse_count'",
        ),
        (
            [("chip", '"loihi1"'), ("payload", "16"), ("encoding", '"direct"')],
            "'network.payload': loihi1's spikes carry no payload",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_by_key(changes: list[tuple[str, str]], message: str, tmp_path: Path) -> None:
    path = changed(tmp_path, *changes)
    with pytest.raises(InputError, match=message):
        load_recipe(path)
    assert load_recipe(changed(tmp_path)).name == "small"


def test_too_many_steps_are_one_sentence(tmp_path: Path) -> None:
    path = changed(tmp_path, ("steps", "1_000_000_000_000"))
    refused(spikeport("train", path, "--out", tmp_path / "run"), "key 'training': steps")


def test_a_network_whose_neurons_never_fire_runs_to_its_report(tmp_path: Path) -> None:
    result = spikeport("run", changed(tmp_path, ("vth", "1e30")), "--out", tmp_path / "run", limit=300)
    assert result.returncode == 0, result.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["agreement"] == summary["equal_spikes"] == 1.0
    assert (tmp_path / "run" / "report.html").exists()


def test_only_training_takes_several_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    refused(spikeport("run", changed(tmp_path), "--out", tmp_path / "run"), "torchrun -m spikeport train")


def test_a_bound_on_another_metric_is_refused_before_the_training(tmp_path: Path) -> None:
    recipe = changed(tmp_path, ("seed", '0\ntask = "regression"'))
    result = spikeport("run", str(recipe), "--out", "run", "--min-accuracy", "0.9", cwd=tmp_path)
    refused(result, "--min-accuracy", "the metric here is rmse")
    assert not (tmp_path / "run").exists()
