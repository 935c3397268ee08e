"""The board: the routers of all chips on one grid.

Cores are numbered chip by chip and, within a chip, router by router, in squares that grow around a corner: cores with
consecutive numbers are neighbours, so any number of cores forms a compact region. Chips on the board are numbered the
same way.
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

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Board:
    """The part of a chip's profile that defines the positions of cores."""

    cores_per_chip: int
    chips: int
    columns: int
    cores_per_router: int

    @classmethod
    def of(cls, limits: Limits) -> Board:
        """The board of a chip's profile; a mesh of unknown shape is a square."""
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

    def position(self, number: int) -> tuple[int, int, int]:
        """(chip, x, y) of the router of a core by its number."""
        chip, within = divmod(number, self.cores_per_chip)
        return chip, *compact_order(self.columns, self.rows)[within // self.cores_per_router]

    def positions(self, cores: Iterable[Core]) -> Positions:
        """(chip, x, y) of cores, (cores, 3)."""
        return np.array([(c.chip, c.x, c.y) for c in cores], np.int64).reshape(-1, 3)

    def on_grid(self, positions: Positions) -> Positions:
        """(x, y) of routers on the grid of the whole board, (..., 2)."""
        routers: Positions = _on_grid(positions[..., 0]) * np.array([self.columns, self.rows]) + positions[..., 1:]
        return routers

    def distances(self, positions: Positions, others: Positions) -> tuple[Positions, Positions]:
        """Distances in routers and in chips between positions (..., 3), along rows and columns; (...) each."""
        chips = np.abs(_on_grid(positions[..., 0]) - _on_grid(others[..., 0]))
        routers = np.abs(self.on_grid(positions) - self.on_grid(others))
        return routers.sum(axis=-1), chips.sum(axis=-1)


@lru_cache(maxsize=64)
def compact_order(columns: int, rows: int) -> tuple[tuple[int, int], ...]:
    """(x, y) of all positions of a grid: consecutive ones are neighbours, the first n * n form a square."""
    order: list[tuple[int, int]] = []
    # shells alternate in direction, so that the last full one ends where the rest of the grid starts
    turned = (min(columns, rows) + (columns <= rows)) % 2
    for n in range(max(columns, rows)):
        shell = [(n, y) for y in range(min(n + 1, rows))] if n < columns else []
        if n < rows:
            shell += [(x, n) for x in reversed(range(min(n, columns)))]
        order += shell if n % 2 == turned else reversed(shell)
    return tuple(order)


def _on_grid(chips: Positions) -> Positions:
    # an even side, so that the order is the same for every number of chips
    side = 2 * (math.isqrt(int(chips.max(initial=0))) // 2 + 1)
    return np.array(compact_order(side, side), np.int64)[chips]
