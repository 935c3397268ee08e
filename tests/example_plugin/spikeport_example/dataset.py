"""A data set that needs no file."""

from __future__ import annotations

import numpy as np

from spikeport.trainer.data import Dataset, Request

SAMPLES = 200


def bars(request: Request) -> Dataset:
    """The left or the right half of 8 pixels is bright, with noise: 150 to train, 50 to test."""
    rng = np.random.default_rng(request.seed)
    labels = rng.integers(0, 2, SAMPLES)
    bright = (np.arange(8) // 4)[None] == labels[:, None]
    images = np.clip(bright + rng.normal(0, 0.2, (SAMPLES, 8)), 0, 1).astype(np.float32)
    return Dataset(images[:150], labels[:150], images[150:], labels[150:], (8,), 2, "example_bars")
