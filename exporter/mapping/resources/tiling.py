"""Split an image layer into tiles that keep every limit of a core.

All tile shapes that the chip permits are ordered by the number of tiles, then by the tiles' total input axons; the
first that fits is used. A position counts once for every tile that receives input from it: neighbouring tiles and tiles
of other channels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

from spikeport.exporter.mapping.model import Tile
from spikeport.exporter.program.chip_program import ConvConnection, Population
from spikeport.hardware_profiles.schema import Limits

from .axon_fan_in import Mask, under_kernel


def sizes(length: int) -> list[int]:
    """Every size of equal parts of a length, the largest first."""
    return sorted({-(-length // parts) for parts in range(1, length + 1)}, reverse=True)


def halved(length: int, base: int) -> list[int]:
    """A length divided by the powers of `base`, rounded up, the largest first."""
    lengths = [length]
    while lengths[-1] > 1:
        lengths.append(-(-lengths[-1] // base))
    return lengths


def powers(length: int, base: int) -> list[int]:
    """The whole length and the smaller powers of `base`, the largest first."""
    below = [base**n for n in range(length.bit_length()) if base**n < length]
    return [length, *reversed(below)]


def candidates(population: Population, convolutions: list[ConvConnection], limits: Limits, room: int) -> Iterator[Tile]:
    """Tile shapes that fit a core's compartments, best first; every chip permits the smallest."""
    channels, height, width = population.shape
    base = int(limits.image_tile_base) if limits.image_tile_base is not None else 0
    of_channels, of_rows, of_columns = (
        (halved(channels, base), halved(height, base), powers(width, base))
        if base > 1
        else (sizes(channels), sizes(height), sizes(width))
    )
    rows, columns = _along(convolutions, 0, of_rows), _along(convolutions, 1, of_columns)
    ranked = []
    for c, h, w in product(of_channels, of_rows, of_columns):
        if c * h * w <= room or c * h * w == 1:
            blocks = -(-channels // c)
            count = blocks * -(-height // h) * -(-width // w)
            axons = sum(blocks * r[h] * k[w] for r, k in zip(rows, columns, strict=True))
            ranked.append((count, axons, -c, -h, -w))
    for _, _, c, h, w in sorted(ranked):
        yield -c, -h, -w


def _along(convolutions: list[ConvConnection], axis: int, lengths: list[int]) -> list[dict[int, int]]:
    """Total input positions along an axis of tiles of each length, per convolution."""
    return [{length: _input_positions(under_kernel(c, axis), length) for length in lengths} for c in convolutions]


def _input_positions(met: Mask, length: int) -> int:
    return sum(int(met[:, at : at + length].any(axis=1).sum()) for at in range(0, met.shape[1], length))


def boxes(shape: tuple[int, ...], tile: Tile) -> Iterator[tuple[int, int]]:
    """First and last neuron of every tile in layout order."""
    first = 0
    per_axis = [
        [min(step, length - at) for at in range(0, length, step)] for length, step in zip(shape, tile, strict=True)
    ]
    for sides in product(*per_axis):
        count = math.prod(sides)
        yield first, first + count - 1
        first += count
