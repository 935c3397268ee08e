"""The chip of docs/how-to/my-chip.md: its package is written as the page says, installed, and used."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from command import forget, spikeport
from packages import install, run
from places import ROOT

from spikeport.exporter.nir_graph.nir_file import write_nir
from tests.support.networks.xylo_graphs import chain, lif, random_weights

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGE = (ROOT / "docs" / "how-to" / "my-chip.md").read_text(encoding="utf-8")
TRAINED = """
import numpy as np, torch
import spikeport as sp
from spikeport.exporter.neurons import ALL_NEURONS

module = sp.torch.module("small.nir", chip="tiny12")
x = np.load("spikes.npy")
before = [p.detach().clone() for p in module.parameters()]
optimiser = torch.optim.SGD(module.parameters(), lr=0.05)
for _ in range(4):
    optimiser.zero_grad()
    (module(torch.from_numpy(x)).sum(0) - 4).square().mean().backward()
    optimiser.step()
assert all((a != b).any() for a, b in zip(before, module.parameters()))
network = module.compile()
run = network.simulate(x)
late = network.program.pipeline_steps
assert run.spikes.any()
assert (run.spikes[late:] == module(torch.from_numpy(x)).detach().numpy()).all()
assert (sp.compile(module.to_nir(), chip="tiny12").simulate(x).spikes == run.spikes).all()
layers = torch.nn.ModuleDict({"w0": torch.nn.Linear(6, 20, bias=False), "w1": torch.nn.Linear(20, 4, bias=False)})
module.load_into(layers)
assert (layers["w0"].weight.detach().numpy() == module.synapse_values()["w0"]["weight"].astype(np.float32)).all()
assert (module.eval_float(torch.from_numpy(x)).numpy() != run.spikes[late:]).mean() < 0.2
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the package, as an installation leaves it, and the files that the page's commands read."""
    folder = tmp_path_factory.mktemp("my_chip")
    for name, text in re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```', PAGE, flags=re.MULTILINE | re.DOTALL):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    install(folder, project["entry-points"], "tiny12")
    weights = random_weights([6, 20, 4], 0.6)
    write_nir(chain([lif(20, 16 / 3), lif(4, 8)], weights), folder / "small.nir")
    write_nir(chain([lif(65, 8), lif(4, 8)], random_weights([6, 65, 4], 0.6)), folder / "large.nir")
    write_nir(chain([lif(3, 8)], random_weights([6, 3], 0.6)), folder / "one.nir")
    np.save(folder / "spikes.npy", np.random.default_rng(0).binomial(1, 0.3, (40, 8, 6)).astype(np.uint8))
    yield folder
    forget(folder)


def command(site: Path, *words: str) -> tuple[int, str]:
    done = spikeport(*words, site=site, cwd=site)
    return done.returncode, done.stdout + done.stderr


def test_its_commands_do_what_the_page_says(site: Path) -> None:
    commands = re.findall(r"^\$ spikeport (.*)$", PAGE, flags=re.MULTILINE)
    assert len(commands) == 7
    for line in commands[:-1]:
        code, text = command(site, *shlex.split(line))
        assert code in ((0, 1) if line.startswith("diff") else (0,)), f"{line}: {text}"


def test_the_emulator_runs_its_step(site: Path) -> None:
    assert command(site, "compile", "one.nir", "--chip", "tiny12", "-o", "one.chip")[0] == 0
    code, text = command(site, "simulate", "one.chip", "--input", "spikes.npy", "--record", "all", "-o", "one.npz")
    assert code == 0, text
    arrays = np.load(site / "one.npz")
    weights = random_weights([6, 3], 0.6)[0].astype(np.float64)
    scale = 31 / np.abs(weights).max()
    whole, threshold = np.rint(weights * scale).astype(int), int(np.floor(scale)) + 1
    x = np.load(site / "spikes.npy").astype(int)
    v = np.zeros((8, 3), int)
    for step in range(40):
        # a leak of 1 / 8 is two sixteenths
        v = np.clip(v - (v * 2 >> 4) + x[step] @ whole.T, -2048, 2047)
        spikes = v >= threshold
        v[spikes] = 0
        np.testing.assert_array_equal(arrays["s/n0"][step + 1], spikes)
        np.testing.assert_array_equal(arrays["v/n0"][step + 1], v)


def test_its_limits_are_checked(site: Path) -> None:
    code, text = command(site, "check", "large.nir", "--chip", "tiny12")
    assert code == 1 and "'n0' has 65 neurons, but a layer of Tiny 12 has 64; split it" in text
    code, text = command(site, "check", "small.nir", "--chip", "tiny12")
    assert code == 0 and "fits" in text


def test_fit_has_it_beside_the_others(site: Path) -> None:
    code, text = command(site, "fit", "small.nir", "--data", "spikes.npy", "--chips", "tiny12,loihi2", "--json")
    assert code == 0, text
    rows = json.loads(text[text.index("{") : text.rindex("}") + 1])["chips"]
    assert [(row["chip"], row["fits"]) for row in rows] == [("tiny12", True), ("loihi2", True)]


@pytest.mark.slow
def test_a_recipe_trains_in_its_integers(site: Path) -> None:
    (line,) = re.findall(r"^\$ spikeport (run .*)$", PAGE, flags=re.MULTILINE)
    code, text = command(site, *shlex.split(line))
    assert code == 0, text
    summary = json.loads((site / "tiny_run" / "summary.json").read_text(encoding="utf-8"))
    assert summary["equal_spikes"] == summary["agreement"] == 1.0
    assert summary["accuracy"]["fixed"] > 0.8
    recipe = (site / "tiny.toml").read_text(encoding="utf-8")
    (site / "biased.toml").write_text(recipe.replace("bias = false", "bias = true"), encoding="utf-8")
    code, text = command(site, "run", "biased.toml", "--out", "biased_run")
    assert code and "cannot be trained for tiny12: 'layer1' is no LIF without bias" in text
    conv = recipe.replace('kind = "dense", size = 32', 'kind = "conv", size = 2')
    (site / "conv.toml").write_text(conv.replace('dataset = "digits"', 'dataset = "digits_image"'), encoding="utf-8")
    code, text = command(site, "run", "conv.toml", "--out", "conv_run")
    assert code and "'layer1' is a convolution" in text and "use dense layers" in text


@pytest.mark.slow
def test_it_is_tuned_in_its_integers(site: Path) -> None:
    words = ("--data", "spikes.npy", "--chip", "tiny12", "--epochs", "2", "-o", "tuned.nir")
    code, text = command(site, "tune", "small.nir", *words)
    assert code == 0, text
    assert (site / "tuned.nir").exists()


def test_it_is_trained_in_its_integers(site: Path) -> None:
    done = run("-c", TRAINED, site=site, cwd=site)
    assert done.returncode == 0, done.stderr
