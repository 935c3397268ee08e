"""Handwritten digits for every kind of file, and where a kind is written: KIND.onnx next to KIND.npz with x and y."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

CLASSES = 10
_TRAINED_ON = 1400
Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def digits() -> tuple[Floats, Integers, Floats, Integers]:
    """Training images (N, 8, 8) from 0 to 1 and their classes, then those of the test."""
    images, classes = load_digits(return_X_y=True)
    x, y = (images.reshape(-1, 8, 8) / 16).astype(np.float32), classes.astype(np.int64)
    return x[:_TRAINED_ON], y[:_TRAINED_ON], x[_TRAINED_ON:], y[_TRAINED_ON:]


def write_samples(folder: Path, kind: str, shape: tuple[int, ...]) -> None:
    """The samples of a kind, in the shape (N, *shape) that its file takes: x to calibrate and test, y their classes."""
    train, _, test, classes = digits()
    np.savez(folder / f"{kind}.npz", calibrate=train[:200].reshape(-1, *shape), x=test.reshape(-1, *shape), y=classes)


def make(folder: Path, kinds: Mapping[str, Callable[[Path, str], None]]) -> None:
    """Write each kind; those whose exporter fails or is not installed go into not_made.json, with the reason."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "not_made.json"
    for kind, write in kinds.items():
        not_made = json.loads(file.read_text()) if file.is_file() else {}
        try:
            write(folder, kind)
            not_made.pop(kind, None)
            print(f"{kind}: made")
        except Exception as error:  # an exporter may fail in any way; the table says so
            not_made[kind] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:120]
            print(f"{kind}: not made ({not_made[kind]})")
        file.write_text(json.dumps(not_made, indent=1))
