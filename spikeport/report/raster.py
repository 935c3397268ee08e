"""raster.npz: the spikes of one test sample, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError, reason
from spikeport.common.npy import LARGEST_BYTES, read_npz


@dataclass(frozen=True)
class Raster:
    """Spikes (steps, neurons) of the input and of every population in order; image: the sample before encoding."""

    sample: int
    label: int
    input: NDArray[Any]
    layers: dict[str, NDArray[Any]]
    image: NDArray[Any] | None = None


def read_raster(path: Path) -> Raster | None:
    """Read raster.npz, None if there is none; raises InputError if it is truncated or lacks an array."""
    if not path.exists():
        return None
    try:
        arrays = read_npz(path, largest=LARGEST_BYTES)
        layers = {name[2:]: _spikes(a) for name, a in arrays.items() if name.startswith("s/")}
        raster = Raster(
            int(arrays["sample"]), int(arrays["label"]), _spikes(arrays["input"]), layers, arrays.get("image")
        )
    except KeyError as error:
        raise InputError(f"{path}: has no array {error}; run the recipe again to rebuild it") from error
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{path}: is truncated or not a raster ({reason(error)}); run the recipe again to rebuild it"
        ) from error
    if len({len(a) for a in (raster.input, *layers.values())}) != 1:
        raise InputError(f"{path}: its arrays differ in steps; run the recipe again to rebuild it")
    return raster


def _spikes(array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"an array of shape {array.shape} instead of (steps, neurons)")
    return array


def winner(output: NDArray[Any], steps: int) -> int:
    """The output neuron that spikes most in the last `steps` steps; the lower index wins a tie."""
    return int(output[max(0, len(output) - steps) :].sum(axis=0, dtype=np.int64).argmax())


def grouped(spikes: NDArray[Any], rows: int, columns: int) -> NDArray[np.bool_]:
    """Spikes drawn in at most `rows` neurons and `columns` steps: a cell is set if any spike falls into it."""
    cells = np.asarray(spikes, dtype=bool)
    for axis, limit in ((0, columns), (1, rows)):
        size = cells.shape[axis]
        if size > limit:
            bounds = np.unique(np.arange(limit) * size // limit)
            cells = np.logical_or.reduceat(cells, bounds, axis=axis)
    return cells
