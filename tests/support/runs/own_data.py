"""Small data of every kind that the data set "files" reads, made by the tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import wavfile

EVENT_FIELDS = [("x", "u2"), ("y", "u2"), ("p", "u1"), ("t", "i8")]


def write_images(folder: Path, size: tuple[int, int] = (8, 6), mode: str = "L", each: int = 5) -> Path:
    """Folders light and dark of PNG images, height 8 and width 6."""
    rng = np.random.default_rng(0)
    for name, low in (("dark", 0), ("light", 128)):
        (folder / name).mkdir(parents=True)
        for n in range(each):
            shape = size if mode == "L" else (*size, 3)
            pixels = rng.integers(low, low + 128, shape, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{n}.png")
    return folder


def events(count: int = 40, side: int = 10, seed: int = 0, start: int = 1000) -> np.ndarray:
    """Random events of a sensor, in order of time, over 1 ms."""
    rng = np.random.default_rng(seed)
    made = np.empty(count, EVENT_FIELDS)
    made["x"], made["y"] = rng.integers(0, side, (2, count))
    made["p"] = rng.integers(0, 2, count)
    made["t"] = start + np.sort(rng.integers(0, 1000, count))
    return made


def nmnist_bytes(made: np.ndarray) -> bytes:
    """Events in N-MNIST's format."""
    rows = np.empty((len(made), 5), np.uint8)
    t = made["t"].astype(np.int64)
    rows[:, 0], rows[:, 1], rows[:, 2] = made["x"], made["y"], made["p"].astype(np.int64) << 7 | t >> 16
    rows[:, 3], rows[:, 4] = t >> 8 & 255, t & 255
    return rows.tobytes()


def write_events(folder: Path, each: int = 3) -> Path:
    """Folders left and right of N-MNIST recordings."""
    for c, name in enumerate(("left", "right")):
        (folder / name).mkdir(parents=True)
        for n in range(each):
            made = events(seed=10 * c + n)
            made["x"] = made["x"] + 20 * c
            (folder / name / f"{n}.bin").write_bytes(nmnist_bytes(made))
    return folder


def tone(hertz: float, seconds: float = 0.1, rate: int = 8000) -> np.ndarray:
    """A tone of 16 bits."""
    return (8000 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(np.int16)


def write_sounds(folder: Path, each: int = 3, rate: int = 8000) -> Path:
    """Folders high and low of tones."""
    for name, hertz in (("high", 2000), ("low", 300)):
        (folder / name).mkdir(parents=True)
        for n in range(each):
            wavfile.write(folder / name / f"{n}.wav", rate, tone(hertz + 10 * n, rate=rate))
    return folder
