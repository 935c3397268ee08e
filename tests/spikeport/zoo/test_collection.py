"""The collection of trained networks: every card is true, a network is copied whole, a new one is made from a run."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from command import spikeport
from places import ROOT

from spikeport import compile as compiled
from spikeport.common.errors import InputError
from spikeport.run import stages
from spikeport.run.recipe import load_recipe
from spikeport.run.shipped import find_recipe
from spikeport.trainer.data.encoding import encode
from spikeport.trainer.tasks.registry import objective_of
from spikeport.zoo.card import Card, read_card
from spikeport.zoo.collection import cards, copy_model, find_card

IN_WHEEL = ("digits", "digits_direct")
OTHERS = tuple(name for name in cards() if name not in IN_WHEEL)
MOST_BYTES = 5_000_000


def measured(card: Card) -> float:
    """The task's metric of the network's integers on the whole test part."""
    recipe = load_recipe(find_recipe(card.recipe))
    data = stages.dataset_of(recipe)
    training = recipe.training
    generator = np.random.default_rng(training.seed)
    x = encode(training.encoding, data.x_test, training.steps, generator, recipe.network.payload)
    network = compiled(cards()[card.name].with_suffix(".nir"), chip=card.chip_name)
    result = network.simulate(x)
    objective = objective_of(training)
    return objective.metric.measure(
        stages.chip_answers(objective, network.program, result.result, training.steps), data.y_test
    )


def test_the_wheel_takes_the_two_smallest_and_the_folder_stays_small() -> None:
    sizes = {name: path.with_suffix(".nir").stat().st_size for name, path in cards().items()}
    assert set(IN_WHEEL) == set(sorted(sizes, key=lambda name: sizes[name])[:2])
    assert max(sizes.values()) <= 1 << 20
    assert sum(path.stat().st_size for path in (ROOT / "models").iterdir()) <= MOST_BYTES
    text = (ROOT / "pyproject.toml").read_text()
    for name in IN_WHEEL:
        for ending in (".nir", ".json", "_samples.npz", "_labels.npy"):
            assert f'"models/{name}{ending}" = "spikeport/models/{name}{ending}"' in text


@pytest.mark.parametrize("name", IN_WHEEL)
def test_a_network_reaches_what_its_card_says(name: str) -> None:
    card = read_card(find_card(name))
    assert measured(card) == pytest.approx(card.chip, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_each_other_network_reaches_what_its_card_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if "SPIKEPORT_DATA" not in os.environ:
        monkeypatch.setenv("SPIKEPORT_DATA", str(ROOT.parent / "shared" / "data"))
    card = read_card(find_card(name))
    try:
        stages.dataset_of(load_recipe(find_recipe(card.recipe)))
    except InputError as error:
        pytest.skip(str(error))
    assert measured(card) == pytest.approx(card.chip, abs=1e-9)


def test_a_copied_network_answers_its_samples(tmp_path: Path) -> None:
    done = spikeport("models", "get", "digits", "--out", tmp_path, "--json", tmp_path / "get.json")
    assert done.returncode == 0, done.stderr
    written = [Path(path) for path in json.loads((tmp_path / "get.json").read_text())["written"]]
    assert all(path.is_file() for path in written)
    result = compiled(tmp_path / "digits.nir", chip="loihi2").simulate(tmp_path / "digits_samples.npz")
    assert (result.winners == np.load(tmp_path / "digits_labels.npy")).mean() > 0.9
    again = spikeport("models", "get", "digits", "--out", tmp_path)
    assert "all files exist already" in again.stdout


def test_the_list_has_every_card_and_a_mistyped_name_a_hint() -> None:
    listed = json.loads(spikeport("models", "--json").stdout)["models"]
    assert [card["name"] for card in listed] == list(cards())
    wrong = spikeport("models", "get", "digitss")
    assert wrong.returncode == 2
    assert "did you mean" in wrong.stderr


def test_a_network_that_is_not_its_cards_is_not_copied_and_nothing_is_replaced(tmp_path: Path) -> None:
    shelf, out = tmp_path / "shelf", tmp_path / "out"
    shutil.copytree(ROOT / "models", shelf)
    (shelf / "digits.nir").write_bytes(b"another")
    with pytest.raises(InputError, match=r"is not the network of digits\.json"):
        copy_model(shelf / "digits.json", out)
    out.mkdir()
    (out / "digits.nir").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        copy_model(find_card("digits"), out)
    assert (out / "digits.nir").read_text() == "mine"
    (shelf / "digits.json").write_text("{}")
    with pytest.raises(InputError, match="field name"):
        read_card(shelf / "digits.json")


def test_a_network_of_a_recipe_of_ones_own_brings_the_recipe_and_stays_in_its_folder(tmp_path: Path) -> None:
    text = find_recipe("digits").read_text()
    # without Lava, which runs one sample after the other
    shorter = re.sub(r"(?m)^epochs = .*", "epochs = 1", text.replace("\nchip", "\nbackends = []\nchip", 1))
    assert "backends = []" in shorter
    (tmp_path / "digits.toml").write_text(shorter)
    done = spikeport("run", "digits.toml", "--out", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = spikeport("models", "make", "run", "--out", "shelf", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    card = read_card(tmp_path / "shelf/digits.json")
    assert card.command == "spikeport run digits.toml"
    assert load_recipe(tmp_path / "shelf/digits.toml").training.epochs == 1
    assert len(copy_model(tmp_path / "shelf/digits.json", tmp_path / "copied")[1]) == 5
    before = {path.name: path.read_bytes() for path in (tmp_path / "shelf").iterdir()}
    (tmp_path / "shelf/digits.json").write_text("mine")
    again = ("models", "make", "run", "--out", "shelf")
    refused = spikeport(*again, cwd=tmp_path)
    assert refused.returncode == 2 and "digits.nir: exists already" in refused.stderr
    assert (tmp_path / "shelf/digits.json").read_text() == "mine"
    assert spikeport(*again, "--overwrite", cwd=tmp_path).returncode == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "shelf").iterdir()} == before
    for name in ("../evil", "a/b", ""):
        refused = spikeport("models", "make", "run", "--out", "shelf", "--name", name, cwd=tmp_path)
        assert (refused.returncode, "cannot be a network's name" in refused.stderr) == (2, True)
    assert not (tmp_path / "evil.nir").exists()
