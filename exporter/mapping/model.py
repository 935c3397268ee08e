"""Slices and cores of a mapping: which core holds which neurons of which population, and the core's position.

A population is split over cores in slices: consecutive neurons in the population's layout order. A vector is laid out
in C order, an image tile by tile. Coordinates are those of a core's router within its chip; cores of one router share
them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Encoding = Literal["dense", "sparse", "conv"]
LimitName = Literal[
    "compartments",
    "delay slots",
    "synapse memory",
    "input axons",
    "output axons",
    "compartment configs",
    "threshold configs",
    "synapse configs",
    "layers",
]
Tile = tuple[int, int, int]


@dataclass(frozen=True)
class Slice:
    """Neurons `first` to `last` of a population, both included, in its layout order.

    tile: None for C order; (channels, rows, columns) for an image that is laid out tile by tile, with tiles and the
    neurons of each tile in C order. encodings: the format in which the core stores the synapses of each connection into
    the population, in the order of `program.into(layer)`.
    """

    layer: str
    first: int
    last: int
    encodings: tuple[Encoding, ...] = ()
    tile: Tile | None = None

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.last - self.first + 1

    def neurons(self, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """The slice's neurons as indices into the population of this shape, C order."""
        if self.tile is None:
            return np.arange(self.first, self.last + 1, dtype=np.int64)
        return laid_out(shape, self.tile)[self.first : self.last + 1]


@lru_cache(maxsize=32)
def laid_out(shape: tuple[int, ...], tile: Tile) -> NDArray[np.int64]:
    """Indices of all neurons of an image (channels, height, width), tile by tile, (size,)."""
    index = np.arange(math.prod(shape), dtype=np.int64).reshape(shape)
    order: NDArray[np.int64] = np.concatenate([index[box].reshape(-1) for box in tiles(shape, tile)])
    order.setflags(write=False)
    return order


def tiles(shape: tuple[int, ...], tile: Tile) -> Iterator[tuple[slice, slice, slice]]:
    """The slices of every tile of an image in C order; those at its far ends are smaller."""
    starts = [range(0, length, step) for length, step in zip(shape, tile, strict=True)]
    for c in starts[0]:
        for y in starts[1]:
            for x in starts[2]:
                yield slice(c, c + tile[0]), slice(y, y + tile[1]), slice(x, x + tile[2])


@dataclass(frozen=True)
class Core:
    """One core: its number on the board, its chip, its router's position on that chip's mesh, and its slices."""

    number: int
    chip: int
    x: int
    y: int
    slices: tuple[Slice, ...]

    @property
    def neurons(self) -> int:
        """Neurons on the core."""
        return sum(part.size for part in self.slices)


def slices_of(cores: tuple[Core, ...], layer: str) -> list[tuple[int, Slice]]:
    """Every slice of a population with the index of its core in `cores`, by first neuron."""
    slices = [(number, part) for number, core in enumerate(cores) for part in core.slices if part.layer == layer]
    return sorted(slices, key=lambda pair: (pair[1].first, pair[0]))
