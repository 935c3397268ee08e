"""From counts per neuron to counts per core."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.mapping.model import Core, slices_of


def core_of(cores: tuple[Core, ...], layer: str, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """The index of the core that holds each neuron of a population, (size,) in C order; -1 if none does."""
    indices = np.full(int(np.prod(shape)), -1, np.int64)
    for number, part in slices_of(cores, layer):
        indices[part.neurons(shape)] = number
    return indices


def per_core(values: NDArray[Any], cores: tuple[Core, ...], layer: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Sums of values per neuron (..., *shape) over the neurons of a population on each core, (..., cores)."""
    flat = values.reshape(*values.shape[: values.ndim - len(shape)], -1)
    summed: NDArray[Any] = np.zeros((*flat.shape[:-1], len(cores)), np.float64 if flat.dtype.kind == "f" else np.int64)
    for number, part in slices_of(cores, layer):
        on_core = flat[..., part.neurons(shape)].sum(axis=-1)
        summed[..., number] = summed[..., number] + on_core
    return summed
