"""Make small data of the kinds that `dataset = "files"` reads, for the recipes own_images, own_events and so on.

    python make_own_data.py own_data

own_data/images/CLASS/*.png: scikit-learn's 8 x 8 digits; events/CLASS/*.npy: the same digits moved past an event camera
of 16 x 16 pixels; sounds/CLASS/*.wav: rising and falling tones and noise; table.csv: scikit-learn's wines.
The same seed gives the same data.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import wavfile
from sklearn.datasets import load_digits, load_wine

EVENT = np.dtype([("x", "u2"), ("y", "u2"), ("p", "u1"), ("t", "i8")])
SIDE, FRAMES, FRAME_MICROSECONDS = 16, 20, 1000
RATE, SECONDS = 8000, 0.3


def images(folder: Path, each: int) -> None:
    """The first digits of each class as grey images."""
    for digit, pixels in _digits(each):
        Image.fromarray((pixels * 255).astype(np.uint8)).save(_path(folder, str(digit), "png"))


def events(folder: Path, each: int, threshold: float = 0.3) -> None:
    """Each digit moves one pixel per frame, to the right and back; a change of a pixel by the threshold is an event."""
    for digit, pixels in _digits(each):
        seen = np.zeros((SIDE, SIDE))
        recorded = []
        for frame in range(FRAMES):
            shift = abs(frame % 16 - 8)
            now = np.zeros((SIDE, SIDE))
            now[4:12, shift : shift + 8] = pixels
            for sign, changed in ((1, now - seen > threshold), (0, seen - now > threshold)):
                y, x = np.nonzero(changed)
                recorded += [(b, a, sign, frame * FRAME_MICROSECONDS) for a, b in zip(y, x, strict=True)]
            seen = now
        np.save(_path(folder, str(digit), "npy"), np.array(recorded, EVENT))


def sounds(folder: Path, each: int, seed: int = 0) -> None:
    """Tones that rise, tones that fall, and noise, of 0.3 s."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(RATE * SECONDS)) / RATE
    for name, direction in (("falling", -1), ("noise", 0), ("rising", 1)):
        for _ in range(each):
            start = rng.uniform(600, 1200)
            phase = 2 * np.pi * (start * t + direction * rng.uniform(500, 800) * t**2)
            sound = np.sin(phase) if direction else rng.normal(size=len(t)) / 3
            noisy = sound + rng.normal(size=len(t)) / 20
            wavfile.write(_path(folder, name, "wav"), RATE, np.clip(noisy * 12000, -32768, 32767).astype(np.int16))


def table(file: Path) -> None:
    """Thirteen measurements of wines, and the grower."""
    wine = load_wine()
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow([*(name.replace("/", "_") for name in wine.feature_names), "grower"])
        for values, label in zip(wine.data, wine.target, strict=True):
            writer.writerow([*values, f"grower {'ABC'[label]}"])


def _digits(each: int) -> list[tuple[int, np.ndarray]]:
    digits = load_digits()
    first = [np.flatnonzero(digits.target == digit)[:each] for digit in range(10)]
    return [(int(digits.target[n]), digits.images[n] / 16) for index in first for n in index]


def _path(folder: Path, name: str, ending: str) -> Path:
    (folder / name).mkdir(parents=True, exist_ok=True)
    return folder / name / f"{len(list((folder / name).iterdir())):04d}.{ending}"


def make(folder: Path, each: int = 100) -> None:
    """All of them; each: samples per class. What is there already is made again."""
    for name, write in (("images", images), ("events", events), ("sounds", sounds)):
        for old in (folder / name).rglob("*.*"):
            old.unlink()
        write(folder / name, each)
    table(folder / "table.csv")


if __name__ == "__main__":
    make(Path(sys.argv[1] if len(sys.argv) > 1 else "own_data"))
