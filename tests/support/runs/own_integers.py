"""A small data set of four classes, and a recipe that trains on it in a chip's own integers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

RECIPE = """
name = "small"
dataset = "files"
data = "{data}"
chip = "xylo_audio2"
dt = 1e-2
devices = ["microcontroller"]
backends = []
[network]
layers = [{ kind = "dense", size = 12, recurrent = true }]
neuron = "cuba_lif"
du = 0.25
dv = 0.0625
vth = 4.0
surrogate_width = 2.0
batch_norm = false
bias = false
[training]
epochs = 4
norm_epochs = 0.5
batch_size = 16
steps = 24
learning_rate = 0.02
encoding = "spikes"
"""
_STEPS = 24


def small_data(folder: Path, channels: int = 16, classes: int = 4) -> Path:
    """Spikes of 64 samples, each class on channels of its own, in a file."""
    random, y = np.random.default_rng(0), np.arange(64) % classes
    own = np.arange(channels) * classes // channels == y[:, None]
    x = random.binomial(1, np.where(own, 0.3, 0.05)[:, None], (64, _STEPS, channels)).astype(np.uint8)
    path = folder / f"data{channels}_{classes}.npz"
    np.savez(path, x=x, y=y)
    return path


def small_recipe(folder: Path, *changes: tuple[str, str], channels: int = 16, classes: int = 4) -> Path:
    """The recipe's file, with lines `key = value` changed or, where the key is missing, added at the top."""
    text = RECIPE.replace("{data}", str(small_data(folder, channels, classes)))
    for key, value in changes:
        lines = [line for line in text.splitlines() if line.startswith(f"{key} = ")]
        text = text.replace(lines[0], f"{key} = {value}") if lines else f"{key} = {value}\n{text}"
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path
