"""Ten thousand MNIST digits in one .npz file."""

from __future__ import annotations

import numpy as np

from spikeport.common.arrays import read_arrays
from spikeport.common.errors import InputError
from spikeport.trainer.data.dataset import Dataset, Request
from spikeport.trainer.data.paths_and_cache import find_data

TEST_SAMPLES = 2000
SIDE = 28


def mnist10k(request: Request) -> Dataset:
    """MNIST digits as images (1, 28, 28) from an .npz file, x uint8 (N, 28, 28) and y: the last 2000 are the test part.

    request.path: the file; default: mnist10k.npz below SPIKEPORT_DATA. Raises InputError.
    Source: LeCun, Bottou, Bengio & Haffner, Proceedings of the IEEE 86(11), 1998.
    """
    file = find_data("mnist10k", request.path, "mnist10k.npz")
    arrays = read_arrays(file, "x", "y")
    x, y = arrays["x"], arrays["y"]
    if x.dtype != np.uint8 or x.shape[1:] != (SIDE, SIDE) or y.shape != x.shape[:1] or len(x) <= TEST_SAMPLES:
        raise InputError(
            f"{file}: holds x {x.dtype} {x.shape} and y {y.shape}; "
            f"needed are x uint8 (N, {SIDE}, {SIDE}) and y (N,) with N above {TEST_SAMPLES}"
        )
    images, labels = (x[:, None] / np.float32(255)).astype(np.float32), y.astype(np.int64)
    train, test = slice(None, -TEST_SAMPLES), slice(-TEST_SAMPLES, None)
    return Dataset(images[train], labels[train], images[test], labels[test], (1, SIDE, SIDE), 10, "mnist10k")
