"""What a mapping says: which core holds which neurons of which population, and where the core lies.

A population lies on cores in slices: neurons in a row, counted in the slice's order. Coordinates are those of the
router that a core hangs on, within its chip; cores of one router share them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Encoding = Literal["dense", "sparse", "conv"]
Order = Literal["channels", "columns"]


@dataclass(frozen=True)
class Slice:
    """Neurons `first` to `last` of a population, both included, counted in `order`.

    order: "channels" as in the program (C order); "columns" of an image (channels, height, width): column by column, in
    each row by row, in each channel by channel. encodings: the format in which the core holds the synapses of each
    connection into the population, in the order of `program.into(layer)`.
    """

    layer: str
    first: int
    last: int
    encodings: tuple[Encoding, ...] = ()
    order: Order = "channels"

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.last - self.first + 1

    def neurons(self, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """The slice's neurons as indices into the population of this shape, C order."""
        return laid_out(shape, self.order)[self.first : self.last + 1]


def laid_out(shape: tuple[int, ...], order: Order) -> NDArray[np.int64]:
    """Indices of all neurons of a population in the order in which slices count them, (size,)."""
    index = np.arange(math.prod(shape), dtype=np.int64)
    if order == "channels":
        return index
    return index.reshape(shape).transpose(2, 1, 0).reshape(-1)


@dataclass(frozen=True)
class Core:
    """One core: its chip, its router's place on that chip's mesh, and what it holds."""

    chip: int
    x: int
    y: int
    slices: tuple[Slice, ...]

    @property
    def neurons(self) -> int:
        """Neurons on the core."""
        return sum(part.size for part in self.slices)


def slices_of(cores: tuple[Core, ...], layer: str) -> Iterator[tuple[int, Slice]]:
    """Every slice of a population with the number of its core, by first neuron."""
    found = [(number, part) for number, core in enumerate(cores) for part in core.slices if part.layer == layer]
    return iter(sorted(found, key=lambda pair: (pair[1].first, pair[0])))
