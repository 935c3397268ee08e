"""Recipes for chips with integers of their own: trained in them, refused before the training, resumed, swept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeport as sp
from spikeport.common.errors import InputError
from spikeport.exporter.from_torch import network_to_nir
from spikeport.exporter.program.chip_file import load_program
from spikeport.run import train_recipe
from spikeport.run.compile_recipe import compile_recipe
from spikeport.run.recipe import load_recipe
from spikeport.run.run_folder import RunFolder
from spikeport.run.stages import begin_and_train, dataset_of, train_network
from spikeport.sweep import Grid, run_sweep
from spikeport.trainer.loop.pruning import PruningWarning
from spikeport.trainer.methods.in_integers import CHECKPOINT
from spikeport.trainer.methods.registry import load_trained
from tests.support.runs.own_integers import small_recipe


def same_weights(one: RunFolder, other: RunFolder) -> bool:
    first, second = (load_trained(folder.network).spiking_network.state_dict() for folder in (one, other))
    return all(np.array_equal(value.numpy(), second[name].numpy()) for name, value in first.items())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("own")
    recipe = small_recipe(folder, ("float_twin", "true"), ("seeds", "2"))
    sp.run_recipe(recipe, folder / "out")
    return folder / "out", json.loads((folder / "out" / "summary.json").read_text())


def test_a_run_trains_in_the_chip_s_integers_to_the_last_event(run: tuple[Path, dict[str, Any]]) -> None:
    folder, summary = run
    assert summary["equal_spikes"] == summary["agreement"] == 1.0
    assert summary["accuracy"]["fixed"] == summary["accuracy"]["float"] > 0.5
    assert len(summary["seeds"]["runs"]) == 2 and summary["float_twin"]["trained"] > 0.5
    assert (folder / "report.html").exists()
    assert (folder / CHECKPOINT).with_suffix(".csv").read_text().count("\n") == 3


def test_its_files_compile_to_the_same_program(run: tuple[Path, dict[str, Any]]) -> None:
    folder = RunFolder(run[0])
    program = load_program(folder.chip)
    again = sp.compile(folder.nir, chip="xylo_audio2").program
    loaded = compile_recipe(load_recipe(folder.recipe), network_to_nir(load_trained(folder.network).spiking_network))
    for other in (again, loaded):
        for c, d in zip(program.connections, other.connections, strict=True):
            assert np.array_equal(c.weights, d.weights)
        for p, q in zip(program.populations, other.populations, strict=True):
            assert all(np.array_equal(value, getattr(q, name)) for name, value in vars(p).items())


def test_an_interrupted_training_goes_on_to_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = load_recipe(small_recipe(tmp_path))
    data = dataset_of(recipe)
    whole, cut = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "cut")
    for folder in (whole, cut):
        folder.path.mkdir()
    train_network(recipe, whole, data, resume=False, progress=False)
    losses, seen = train_recipe.train_in_integers, []

    def dies(*arguments: Any, **named: Any) -> None:
        from spikeport.trainer.methods import in_integers

        loss = in_integers.layers_loss

        def counted(*given: Any) -> Any:
            seen.append(None)
            if len(seen) == 5:
                raise KeyboardInterrupt
            return loss(*given)

        monkeypatch.setattr(in_integers, "layers_loss", counted)
        losses(*arguments, **named)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(train_recipe, "train_in_integers", dies)
        train_network(recipe, cut, data, resume=False, progress=False)
    assert (cut.path / CHECKPOINT).exists() and not cut.network.exists()
    train_network(recipe, cut, data, resume=True, progress=False)
    assert same_weights(whole, cut)


def test_pruning_in_too_few_epochs_is_warned_of(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "out")
    folder.path.mkdir()
    recipe = load_recipe(small_recipe(tmp_path, ("learning_rate", "0.02\npruned = 0.5")))
    with pytest.warns(PruningWarning, match="50% of the weights in 2 epochs"):
        begin_and_train(recipe, folder, dataset_of(recipe), False, None)


def test_a_sweep_trains_and_compiles(tmp_path: Path) -> None:
    recipe = small_recipe(tmp_path, ("epochs", "2"))
    run_sweep(recipe, Grid.parse(["chip=loihi2,xylo_audio2", "weight_bits=8,4"]), tmp_path / "sweep")
    rows = [json.loads(path.read_text()) for path in sorted((tmp_path / "sweep" / "points").glob("*.json"))]
    assert len(rows) == 4 and all("error" not in row and row["fits"] for row in rows)
    trained = {path.name: path for path in (tmp_path / "sweep" / "trained").iterdir()}
    assert set(trained) == {"as_the_recipe_says", "chip=xylo_audio2"}
    own = load_trained(RunFolder(trained["chip=xylo_audio2"]).network).spiking_network
    assert (
        own.registers and not load_trained(RunFolder(trained["as_the_recipe_says"]).network).spiking_network.registers
    )


@pytest.mark.parametrize(
    ("changes", "sizes", "sentence"),
    [
        ([], {"channels": 17}, r"has 16 inputs, but the network needs 17; pool or project the input to 16 channels"),
        ([], {"classes": 9}, r"has 8 output neurons, but the network needs 9; decide between at most 8 classes"),
        (
            [("layers", '[{ kind = "dense", size = 65, recurrent = true }]')],
            {},
            r"fan-out; prune each to its 63 largest other weights",
        ),
        ([("layers", '[{ kind = "dense", size = 8, delays = "axonal" }]')], {}, r"leave out delays|no delays on its"),
        ([("dv", "0.00001")], {}, r"decays end at a shift of 15"),
        ([("bias", "true")], {}, r"with batch_norm = false and bias = false"),
        ([("bias", "true"), ("batch_norm", "true")], {}, r"with batch_norm = false and bias = false"),
        ([("neuron", '"lif"'), ("bias", "true")], {}, r"with batch_norm = false and bias = false"),
    ],
)
def test_what_the_chip_cannot_take_is_refused_before_the_training(
    changes: list[tuple[str, str]], sizes: dict[str, int], sentence: str, tmp_path: Path
) -> None:
    recipe = small_recipe(tmp_path, *changes, **sizes)
    with pytest.raises(InputError, match=sentence) as caught:
        sp.run_recipe(recipe, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "out").glob("*.safetensors"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ([("norm_epochs", "1.0")], r"leaves none for the chip's integers; give more epochs, or lower norm_epochs"),
        ([("learning_rate", '0.01\nmethod = "st_rsbp"')], r"'training.method': 'st_rsbp' has a loss of its own"),
        ([("vth", "4.0\nmean_bits = 4.0")], r"'network.mean_bits': is for chips with Loihi's integers"),
        ([("vth", '4.0\nsign_modes = "split"')], r"'network.sign_modes': is for chips with Loihi's integers"),
        (
            [("learning_rate", '0.01\ntask = "regression"')],
            r"'training.task': task 'regression' reads the output's voltage, which is trained in Loihi's",
        ),
        ([("batch_norm", "true")], r"batch norm becomes a bias; for a network without biases set batch_norm = false"),
    ],
)
def test_settings_for_other_integers_are_refused_by_key(
    changes: list[tuple[str, str]], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=sentence):
        load_recipe(small_recipe(tmp_path, *changes))
