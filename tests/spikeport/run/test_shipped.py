"""Recipes by name, and the examples that come with spikeport."""

from __future__ import annotations

import runpy
import shutil
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from command import refused, spikeport
from places import ROOT

import spikeport as sp
from spikeport.common.errors import InputError
from spikeport.run import shipped
from spikeport.trainer.data import load_dataset
from spikeport.trainer.data.encoding import integrate

EXAMPLES = ROOT / "examples"


def test_a_recipe_by_name_by_path_and_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shipped.find_recipe("digits") == ROOT / "recipes" / "digits.toml"
    # a path is taken as it is, whether it exists is for the reader to say
    for path in ("digits.toml", "recipes/digits", str(tmp_path / "x.toml")):
        assert shipped.find_recipe(path) == Path(path)
    # a folder of runs hides no recipe, a file without an ending is the user's own
    (tmp_path / "digits").mkdir()
    assert shipped.find_recipe("digits") == ROOT / "recipes" / "digits.toml"
    (tmp_path / "mine").write_text("")
    assert shipped.find_recipe("mine") == Path("mine")
    with pytest.raises(InputError, match=r"no recipe 'digit'; did you mean 'digits'\?.*ends in .toml"):
        shipped.find_recipe("digit")
    with pytest.raises(
        InputError, match="the known ones are cifar10_sew_resnet, cifar10_soft_lif, cifar10_tssl_bp, digits"
    ):
        sp.run_recipe("q")


@pytest.mark.parametrize(
    "command",
    [("run",), ("train", "--out", "run"), ("sweep", "--over", "chip=loihi1", "--out", "sweep")],
    ids=lambda c: str(c[0]),
)
def test_commands_take_a_recipe_by_name(command: tuple[str, ...], tmp_path: Path) -> None:
    refused(spikeport(command[0], "digit", *command[1:], cwd=tmp_path), "there is no recipe 'digit'", "'digits'")
    assert not list(tmp_path.iterdir())


def test_a_report_names_a_shipped_recipe_by_its_name(tmp_path: Path) -> None:
    assert shipped.shown_recipe(shipped.find_recipe("digits")) == "digits"
    (tmp_path / "digits.toml").write_text("")
    for path in (Path("recipes/digits.toml"), tmp_path / "digits.toml"):
        assert shipped.shown_recipe(path) == str(path)


def test_another_project_s_folder_of_that_name_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "spikeport"
    (package.parent / "examples").mkdir(parents=True)
    monkeypatch.setattr(shipped, "files", lambda _: package)
    with pytest.raises(InputError, match="is not installed"):
        shipped.shipped_folder("examples")
    (package / "examples").mkdir(parents=True)
    assert shipped.shipped_folder("examples") == package / "examples"


def test_examples_are_written_once_and_replace_nothing(tmp_path: Path) -> None:
    result = spikeport("examples", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    for name in ("README.md", "digits.nir", "digits.npy", "digits_labels.npy", "tutorial.ipynb"):
        assert (tmp_path / "examples" / name).read_bytes() == (EXAMPLES / name).read_bytes()
        assert f"{name}: written" in result.stdout
    (tmp_path / "examples" / "digits.npy").unlink()
    assert shipped.write_examples(tmp_path / "examples") == [tmp_path / "examples" / "digits.npy"]
    assert "already" in spikeport("examples", cwd=tmp_path).stdout
    (tmp_path / "examples" / "digits.nir").write_text("mine")
    (tmp_path / "examples" / "digits.npy").unlink()
    refused(spikeport("examples", cwd=tmp_path), "examples/digits.nir", "--out")
    assert (tmp_path / "examples" / "digits.nir").read_text() == "mine"
    # nothing is written where something is refused
    assert not (tmp_path / "examples" / "digits.npy").exists()


def test_in_a_checkout_the_examples_are_there_already() -> None:
    assert Path(str(files("spikeport"))) == ROOT / "spikeport" and shipped.write_examples(EXAMPLES) == []


def test_the_example_is_small_and_answers_right() -> None:
    assert all((EXAMPLES / name).stat().st_size < 100_000 for name in ("digits.nir", "digits.npy"))
    network = sp.compile(EXAMPLES / "digits.nir", chip="loihi2")
    run = network.simulate(EXAMPLES / "digits.npy")
    assert (run.winners == np.load(EXAMPLES / "digits_labels.npy")).sum() == 31
    assert network.check().fits and network.diff(EXAMPLES / "digits.npy").equal


def test_the_example_s_input_is_what_its_script_makes(tmp_path: Path) -> None:
    """Real digits of the test part: encoded here once more, and cut out of a run's folder by the script."""
    data = load_dataset("digits", 0, None, 16)
    spikes = integrate(data.x_test, 16, np.random.default_rng(0))
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(ROOT / "recipes" / "digits.toml", run / "recipe.toml")
    shutil.copy(EXAMPLES / "digits.nir", run / "model.nir")
    np.save(run / "test_input.npy", spikes)
    script = runpy.run_path(str(EXAMPLES / "make_digits.py"))
    script["make"](run, tmp_path / "out")
    for name in ("digits.nir", "digits.npy", "digits_labels.npy"):
        assert (tmp_path / "out" / name).read_bytes() == (EXAMPLES / name).read_bytes(), name
