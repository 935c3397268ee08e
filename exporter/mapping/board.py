"""The board: chips in a square as far as they go, the routers of all chips on one grid.

Cores are numbered chip by chip, in a chip router by router along a snake, so that cores of neighbouring numbers are
neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hardware_profiles.schema import Limits

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
        return chip, *snake(within // self.cores_per_router, self.columns)

    def places(self, cores: Iterable[Core]) -> Places:
        """(chip, x, y) of cores, (cores, 3)."""
        return np.array([(c.chip, c.x, c.y) for c in cores], np.int64).reshape(-1, 3)

    def ways(self, places: Places, to: Places) -> tuple[Places, Places]:
        """Routers and chips from places to others, (..., 3): along rows and columns, as messages go, (...) each."""
        side = math.ceil(math.sqrt(self.chips))
        here, there = _on_grid(places[..., 0], side), _on_grid(to[..., 0], side)
        chips = np.abs(here - there)
        span = np.array([self.columns, self.rows])
        routers = np.abs(here * span + places[..., 1:] - there * span - to[..., 1:])
        return routers.sum(axis=-1), chips.sum(axis=-1)


def snake(number: int, columns: int) -> tuple[int, int]:
    """(x, y) of the n-th place on a way that turns at the end of every row."""
    y, x = divmod(number, columns)
    return (x if y % 2 == 0 else columns - 1 - x), y


def _on_grid(chips: Places, side: int) -> Places:
    y, x = np.divmod(chips, side)
    return np.stack([np.where(y % 2 == 0, x, side - 1 - x), y], axis=-1)
