"""What the scripts beside this one share: a small network's weights, its input, and the files they write.

    python tests/frameworks/NAME.py FOLDER

runs in the framework's own environment and writes into FOLDER what the framework itself exports and computes:
model.nir, x.npy (time, batch, *input shape) and spikes.npy (time, batch, classes).
"""

from __future__ import annotations

import contextlib
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


def save_cell(name: str, graph: Any, x: Any, out: Any) -> None:
    """Write one cell's network, its input and its output, spikes or voltages, into a folder of its own."""
    folder = Path(sys.argv[1]) / name
    folder.mkdir(parents=True, exist_ok=True)
    # shapes that exporters leave out
    with contextlib.suppress(Exception):
        graph.infer_types()
    try:
        nir.write(folder / "model.nir", graph)
    except TypeError:
        # single numbers cannot be compressed
        nir.write(folder / "model.nir", graph, compression=None)
    np.save(folder / "x.npy", np.asarray(x).astype(np.uint8))
    np.save(folder / "out.npy", np.asarray(out).astype(np.float32))
    print(f"{Path(sys.argv[0]).stem} {name}: {np.asarray(out).mean():.3f}")


def failed_cell(name: str, error: Exception) -> None:
    """Write why the framework itself could not export a cell."""
    folder = Path(sys.argv[1]) / name
    folder.mkdir(parents=True, exist_ok=True)
    reason = str(error).strip().splitlines() or [type(error).__name__]
    (folder / "refused.txt").write_text(f"{type(error).__name__}: {reason[0]}", encoding="utf-8")
