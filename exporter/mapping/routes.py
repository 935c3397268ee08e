"""Routes over the mesh: along the row of a message's router first, then along the column of its target (X-Y routing).

Davies et al. 2018, IEEE Micro 38(1), "Mesh operation": Loihi's routers send in dimension order, so a route is fixed by
its ends. A link joins two neighbouring routers in one direction; links between chips are links of the same grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .board import Board, Positions

Integers = NDArray[np.int64]
# steps east, west, along rising and falling y
_STEPS = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)], np.int64)


@dataclass(frozen=True)
class Routes:
    """The links of many routes: route r takes links[indptr[r] : indptr[r + 1]], in order.

    ends: (x, y) of the routers that each link leaves and reaches on the board's grid, (links, 4).
    """

    indptr: Integers
    links: Integers
    ends: Integers

    @property
    def lengths(self) -> Integers:
        """Links of each route."""
        return np.diff(self.indptr)


def routes(board: Board, sources: Positions, targets: Positions) -> Routes:
    """Routes between positions (chip, x, y), (routes, 3) each; links are numbered in the order of the grid."""
    start, stop = board.on_grid(sources), board.on_grid(targets)
    apart = stop - start
    across, along = np.abs(apart).T
    indptr = np.concatenate([[0], np.cumsum(across + along)]).astype(np.int64)
    route = np.repeat(np.arange(len(start)), across + along)
    step = np.arange(indptr[-1]) - indptr[route]
    in_row = step < across[route]
    direction = np.where(in_row, (apart[route, 0] < 0) * 1, 2 + (apart[route, 1] < 0))
    moved = np.where(in_row, step, step - across[route])
    x = np.where(in_row, start[route, 0] + _STEPS[direction, 0] * moved, stop[route, 0])
    y = np.where(in_row, start[route, 1], start[route, 1] + _STEPS[direction, 1] * moved)
    width = int(max(start[:, 0].max(initial=0), stop[:, 0].max(initial=0))) + 1
    keys, links = np.unique((y * width + x) * len(_STEPS) + direction, return_inverse=True)
    router, direction = np.divmod(keys, len(_STEPS))
    leaving = np.stack([router % width, router // width], axis=1)
    ends = np.concatenate([leaving, leaving + _STEPS[direction]], axis=1).astype(np.int64)
    return Routes(indptr, links.reshape(-1).astype(np.int64), ends)
