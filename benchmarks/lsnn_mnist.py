"""Counts of the published LSNN on sequential MNIST, whose weights and measurements are public (rao_lsnn_mnist.toml).

    python benchmarks/lsnn_mnist.py FOLDER [--images 100]

FOLDER holds w_in.npy, w_rec.npy and w_out.npy of repository intel-nrc-ecosystem/models,
nxsdk_modules_ncl/lsnn/apps/seqmnist/weights/v25_94per. A pixel a step drives 80 threshold-crossing inputs, then one
input is on for 56 steps; 140 LIF neurons and 100 whose threshold adapts (src/lsnn.py: a membrane of 20 steps, an
adaptation of 700). Needs ../shared/data/mnist10k.npz. The accuracy printed checks the counts: 94.5 % on the chip.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist10k.npz"
PIXELS, CUE, REGULAR, THRESHOLD = 784, 56, 140, 127
# weightAux * 2**(6 - thrAdaScale) of the adaptive neurons' second compartment, in units of their weights
ADAPTATION = 96 * 4 / 2**6 / 4

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Counted:
    """Means per step of one image, and the share of right answers."""

    inputs: float
    spikes: float
    synops: float
    accuracy: float


def crossings(images: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Input spikes (steps, images, 80): a pair of inputs per grey level, for crossing it upwards and downwards."""
    levels = np.floor(np.linspace(0, 255, 40)).astype(np.int64)
    spikes = np.zeros((PIXELS + CUE, len(images), 80), np.bool_)
    for number, level in enumerate(levels[1:-1], 1):
        above = images >= level
        spikes[: PIXELS - 1, :, 2 * number] = (~above[:, :-1] & above[:, 1:]).T
        spikes[: PIXELS - 1, :, 2 * number + 1] = (above[:, :-1] & ~above[:, 1:]).T
    spikes[:PIXELS, :, 78] = (images == levels[-1]).T
    spikes[PIXELS:, :, 79] = True
    return spikes


def count(weights: tuple[Floats, Floats, Floats], images: NDArray[np.int64], labels: NDArray[np.int64]) -> Counted:
    """Run the network on images and count what it does."""
    into, within, out = weights
    arriving = crossings(images)
    voltage, drawn, spikes = (np.zeros((len(images), len(within))) for _ in range(3))
    answer = np.zeros((len(images), out.shape[1]))
    sent, synops = np.zeros(len(within)), 0.0
    fan_out, fan_in = ((w != 0).sum(axis=1) for w in (np.hstack([within, out]), into))
    before = np.zeros_like(arriving[0])
    for now in arriving:
        drawn *= 1 - 1 / 700
        drawn[:, REGULAR:] -= ADAPTATION * spikes[:, REGULAR:]
        voltage = voltage * (1 - 1 / 20) + before @ into + spikes @ within + drawn
        spikes = (voltage > THRESHOLD).astype(np.float64)
        voltage[spikes > 0] = 0
        answer = answer * (1 - 1 / 20) + spikes @ out
        sent += spikes.sum(axis=0)
        synops += float((now @ fan_in).sum() + (spikes @ fan_out).sum())
        before = now
    runs = len(images) * len(arriving)
    adapting = sent[REGULAR:].sum()
    right = float((answer.argmax(axis=1) == labels).mean())
    return Counted(arriving.sum() / runs, sent.sum() / runs, (synops + adapting) / runs, right)


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=100)
    options = parser.parse_args()
    into, within, out = (np.load(options.folder / f"w_{n}.npy").astype(np.float64) for n in ("in", "rec", "out"))
    with np.load(DATA) as data:
        images = data["x"][: options.images].reshape(-1, PIXELS).astype(np.int64)
        labels = data["y"][: options.images].astype(np.int64)
    print(count((into, within, out), images, labels))


if __name__ == "__main__":
    main()
