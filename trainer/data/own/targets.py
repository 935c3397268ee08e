"""Targets of the user's own arrays that are not one class per sample."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.common.limits import LARGEST_LAYER
from spikeport.trainer.data.targets import TARGET_WORDS, Targets


def read_targets(y: NDArray[Any], kind: Targets, context: str) -> NDArray[Any]:
    """Targets as int64 (classes in each step) or float32, (N, ...); raises InputError for what is not a number.

    One value or label per sample may be (N,). context: the array, for errors.
    """
    if y.dtype.kind not in "biuf":
        raise InputError(f"{context}: holds {y.dtype}, but {TARGET_WORDS[kind]} are numbers; convert it")
    if 0 in y.shape:
        raise InputError(f"{context}: has shape {y.shape}, which holds no values; give at least one for each sample")
    if kind in ("values", "labels") and y.ndim == 1:
        y = y[:, None]
    if kind != "class_per_step":
        return np.asarray(y, np.float32)
    if y.dtype.kind == "f" and not np.array_equal(y, np.rint(y)):
        raise InputError(f"{context}: classes in each step are whole numbers from 0; convert it")
    if y.max() >= LARGEST_LAYER:
        raise InputError(f"{context}: holds class {y.max():.0f}; classes are numbered from 0, number them anew")
    return np.asarray(y, np.int64)


def outputs_of(y: NDArray[Any], kind: Targets) -> int:
    """The number of outputs that these targets need: classes, labels or values."""
    if kind == "class_per_step":
        return int(y.max(initial=0)) + 1
    return y.shape[-1] if y.ndim > 1 else 1


def split_at_random(samples: int, share: float, seed: int, context: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the training part and of a share that is tested on; raises InputError if one is empty."""
    count = round(share * samples)
    if not 0 < count < samples:
        raise InputError(
            f"{context}: {samples} samples cannot be split, {share:g} to test; give more, or another share"
        )
    order = np.random.default_rng(seed).permutation(samples)
    return np.sort(order[count:]), np.sort(order[:count])
