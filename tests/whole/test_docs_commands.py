"""Every command that a page shows is carried out as it stands, page by page, in the page's order, figures as JSON.

Left out here: guides, which tests/whole/test_guides.py carries out with everything else in them; training and sweeps,
which take minutes each and have tests of their own; --cluster, which needs a scheduler.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nir
import numpy as np
import pytest
from command import graph, spikeport
from onnx_models import Model
from pages import DOCUMENTS, GUIDES, commands
from places import ROOT, SHARED
from programs import spikes
from scipy.io import wavfile
from small_recipe import RECIPE
from typer.testing import CliRunner

from spikeport.commands.cli import app
from spikeport.console.output import with_bare_json

# minutes of training, or a scheduler somewhere else
MINUTES = ("run", "train", "sweep")
# the answer may be no: spikes differ, a package that nothing here needs is broken
ANSWERS = {"diff": (0, 1), "doctor": (0, 1)}
PAGES = [path for path in DOCUMENTS if path not in GUIDES and commands(path)]


def cheap(command: list[str]) -> bool:
    return command[0] not in MINUTES and "--cluster" not in command


def reads_a_run(path: Path) -> bool:
    return any(word.startswith("runs/") for command in commands(path) if cheap(command) for word in command)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run of a recipe that takes seconds."""
    folder = tmp_path_factory.mktemp("run")
    quick = RECIPE.replace("epochs = 12", "epochs = 1").replace('backends = ["lava"]', "backends = []")
    (folder / "small.toml").write_text(quick)
    result = spikeport("run", folder / "small.toml", "--out", folder / "run", "--json", limit=500)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["accuracy"]["fixed"] > 0.1
    return folder / "run"


def prepare(folder: Path) -> None:
    """The files that pages take for granted."""
    x = spikes((10, 3, 6), 0.4, 1)
    for name in ("model.nir", "digits.nir"):
        nir.write(str(folder / name), graph())
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", np.array([0, 1, 2]))
    np.savez(folder / "x.npz", input=x)
    wavfile.write(folder / "word.wav", 8000, (8000 * np.sin(np.arange(3200))).astype(np.int16))
    shutil.copy(ROOT / "hardware_profiles" / "data" / "loihi2.toml", folder / "mychip.toml")
    model = Model((1, 6, 6), 2)
    model.conv(4)
    model.add("Relu")
    model.pool()
    model.add("Flatten")
    model.shape = (36,)
    model.dense(3)
    model.save(folder / "cnn.onnx")
    rng = np.random.default_rng(0)
    np.save(folder / "images.npy", rng.uniform(0, 1, (20, 1, 6, 6)).astype(np.float32))
    np.save(folder / "classes.npy", rng.integers(0, 3, 20))
    # of a .net file, so that it can become one again
    for made in (
        ["export", "model.nir", "-o", "model.net"],
        ["compile", "model.net", "--chip", "loihi2", "-o", "model.chip"],
    ):
        assert CliRunner().invoke(app, made).exit_code == 0, made


@pytest.mark.parametrize(
    "path", [pytest.param(p, marks=pytest.mark.slow if reads_a_run(p) else ()) for p in PAGES], ids=lambda p: p.stem
)
def test_the_commands_of_a_page_do_what_it_says(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    prepare(Path.cwd())
    (tmp_path / "shared").symlink_to(SHARED)
    if reads_a_run(path):
        for name in ("digits", "digits_cnn", "cnn", "mine"):
            shutil.copytree(request.getfixturevalue("finished"), Path("runs") / name)
    done = 0
    for command in filter(cheap, commands(path)):
        asked = command if "--json" in command else [*command, "--json", "figures.json"]
        result = CliRunner().invoke(app, with_bare_json(asked))
        ended_itself = isinstance(result.exception, SystemExit | None)
        assert ended_itself and result.exit_code in ANSWERS.get(command[0], (0,)), f"{command}: {result.exception}"
        if asked is not command:
            assert json.loads(Path("figures.json").read_text(encoding="utf-8")), command
            Path("figures.json").unlink()
        done += 1
    assert done or all(not cheap(command) for command in commands(path))
