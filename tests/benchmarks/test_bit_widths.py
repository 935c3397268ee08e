"""Trainings that go on from one phase of batch norm are those that start at the beginning."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from places import ROOT
from safetensors.torch import load_file

from spikeport.run import stages
from spikeport.run.recipe import load_recipe
from spikeport.trainer.methods.registry import get_method

RECIPE = """
name = "widths"
dataset = "digits"
chip = "loihi2"

[network]
layers = [{ kind = "dense", size = 16 }]
chip_aware = 8

[training]
epochs = 4
norm_epochs = 0.6
steps = 4
threads = 1
"""


def test_other_bits_go_on_from_the_same_batch_norm(tmp_path: Path) -> None:
    recipe, folder = tmp_path / "widths.toml", tmp_path / "out"
    recipe.write_text(RECIPE)
    command = [sys.executable, str(ROOT / "benchmarks" / "bit_widths.py"), str(recipe), "--out", str(folder)]
    run = subprocess.run([*command, "--bits", "8", "3", "0"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert run.returncode == 0, run.stderr
    assert [line.partition(":")[0] for line in run.stdout.splitlines()] == ["8", "3", "floating point"]
    for bits in (8, 3, 0):
        alone = tmp_path / f"{bits}.toml"
        alone.write_text(RECIPE.replace("chip_aware = 8", f"chip_aware = {bits}"))
        loaded = load_recipe(alone)
        method = get_method(loaded.training.method)(loaded.network, loaded.training, loaded.dt)
        method.fit(stages.dataset_of(loaded), progress=False).save(tmp_path / "alone.safetensors")
        straight = load_file(tmp_path / "alone.safetensors")
        gone_on = load_file(folder / str(bits) / "network.safetensors")
        assert straight.keys() == gone_on.keys()
        assert all(bool((straight[name] == gone_on[name]).all()) for name in straight), bits
