"""What the scripts beside this one share: a small network's weights, its input, and the files they write.

    python tests/frameworks/NAME.py FOLDER

runs in the framework's own environment and writes into FOLDER what the framework itself exports and computes:
model.nir, x.npy (time, batch, *input shape) and spikes.npy (time, batch, classes).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nir
import numpy as np

STEPS, BATCH, INPUTS, HIDDEN, CLASSES = 50, 64, 20, 24, 5


def weights(outputs: int, inputs: int, scale: float, seed: int) -> Any:
    """float32 weights drawn from a normal distribution with a positive mean, so that layers fire."""
    drawn = np.random.default_rng(seed).normal(0.15, 1.0, (outputs, inputs))
    return (scale * drawn / np.sqrt(inputs)).astype(np.float32)


def spikes(*shape: int) -> Any:
    """Input of 0 and 1, at a different density in each sample."""
    rng = np.random.default_rng(0)
    density = rng.uniform(0.1, 0.5, (1, BATCH, *(1 for _ in shape)))
    return (rng.random((STEPS, BATCH, *shape)) < density).astype(np.float32)


def save(graph: Any, x: Any, out: Any) -> None:
    """Write the three files into the folder named on the command line."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    nir.write(folder / "model.nir", graph)
    np.save(folder / "x.npy", np.asarray(x).astype(np.uint8))
    np.save(folder / "spikes.npy", np.asarray(out).astype(np.uint8))
    print(f"{Path(sys.argv[0]).stem}: {np.asarray(out).mean():.3f} spikes an output and step")
