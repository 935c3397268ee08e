"""The board: the routers of all chips on one grid.

Cores are numbered chip by chip, in a chip router by router, in squares that grow around a corner: cores of neighbouring
numbers are neighbours, and however many are used lie close together. So do chips on the board.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from spikeport.hardware_profiles.schema import Limits

from .model import Core

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Board:
    """What of a chip's profile says where cores lie."""

    cores_per_chip: int
    chips: int
    columns: int
    cores_per_router: int

    @classmethod
    def of(cls, limits: Limits) -> Board:
        """The board of a chip's profile; a mesh whose shape is not known is a square."""
        cores, shared = int(limits.cores_per_chip), int(limits.cores_per_router or 1)
        columns = int(limits.mesh_columns or math.ceil(math.sqrt(cores / shared)))
        return cls(cores, int(limits.chips_per_board or 1), columns, shared)

    @property
    def capacity(self) -> int:
        """Cores of the board."""
        return self.cores_per_chip * self.chips

    @property
    def rows(self) -> int:
        """Rows of routers of a chip."""
        return math.ceil(math.ceil(self.cores_per_chip / self.cores_per_router) / self.columns)

    def place(self, number: int) -> tuple[int, int, int]:
        """(chip, x, y) of the router of a core by its number."""
        chip, within = divmod(number, self.cores_per_chip)
        return chip, *squares(self.columns, self.rows)[within // self.cores_per_router]

    def places(self, cores: Iterable[Core]) -> Places:
        """(chip, x, y) of cores, (cores, 3)."""
        return np.array([(c.chip, c.x, c.y) for c in cores], np.int64).reshape(-1, 3)

    def ways(self, places: Places, to: Places) -> tuple[Places, Places]:
        """Routers and chips from places to others, (..., 3): along rows and columns, as messages go, (...) each."""
        here, there = _on_grid(places[..., 0]), _on_grid(to[..., 0])
        chips = np.abs(here - there)
        span = np.array([self.columns, self.rows])
        routers = np.abs(here * span + places[..., 1:] - there * span - to[..., 1:])
        return routers.sum(axis=-1), chips.sum(axis=-1)


@lru_cache(maxsize=64)
def squares(columns: int, rows: int) -> tuple[tuple[int, int], ...]:
    """(x, y) of all places of a grid, each a neighbour of the one before, every first n * n of them a square."""
    found: list[tuple[int, int]] = []
    # shells are walked in turn this way and that, so that the last whole one ends where the rest of the grid begins
    turned = (min(columns, rows) + (columns <= rows)) % 2
    for n in range(max(columns, rows)):
        shell = [(n, y) for y in range(n + 1)] + [(x, n) for x in reversed(range(n))]
        walked = shell if n % 2 == turned else reversed(shell)
        found += [(x, y) for x, y in walked if x < columns and y < rows]
    return tuple(found)


def _on_grid(chips: Places) -> Places:
    # an even side, so that the order is the same for every number of chips
    side = 2 * (math.isqrt(int(chips.max(initial=0))) // 2 + 1)
    return np.array(squares(side, side), np.int64)[chips]
