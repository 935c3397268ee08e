"""Series of real numbers as spike trains."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.trainer.data.encoding import integrate_drive
from spikeport.trainer.data.file_options import Series

# a change of this share of the range is one spike of "delta"
CHANGE = 0.1


def series_spikes(x: NDArray[np.floating[Any]], steps: int, how: Series, context: str) -> NDArray[np.uint8]:
    """Series x (N, T, *features) in [0, 1] as spikes (N, steps, *features), steps a multiple of T; raises InputError.

    "rate": each value is the drive of an integrate-and-fire neuron (encoding.integrate_drive), held for steps / T
    steps. "delta": the last axis is doubled, first spikes for rises, then for falls: one wherever the value has moved
    by CHANGE from where the last spike left it (send on delta).
    """
    length = x.shape[1]
    if steps % length:
        raise InputError(
            f"{context}: a sample has {length} values in time; set steps = {length} in [training], or a multiple of it"
        )
    held = np.repeat(np.moveaxis(x, 1, 0), steps // length, axis=0)
    spikes = integrate_drive(held) if how == "rate" else _changes(held)
    return np.ascontiguousarray(np.moveaxis(spikes, 0, 1))


def _changes(x: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    spikes = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), np.uint8)
    level = x[0].astype(np.float64)
    features = x.shape[-1]
    for step, values in zip(spikes, x, strict=True):
        step[..., :features] = up = values >= level + CHANGE
        step[..., features:] = down = values <= level - CHANGE
        level += CHANGE * up
        level -= CHANGE * down
    return spikes
