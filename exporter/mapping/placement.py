"""Placement of cores: in the order of the layers, then swapped to shorten the paths of messages.

Cores with consecutive numbers are neighbours, and layers take consecutive cores: a good start. In networks that are not
too large two cores then swap positions wherever that reduces the sum of (axons between two cores) * (routers between
them), in a fixed order and a bounded number of rounds. A step to another chip counts as many routers as cost the same
energy.
"""

from __future__ import annotations

from collections.abc import Mapping as Table

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.schema import ChipProfile

from .board import Board
from .model import Core
from .traffic import axons_between

# beyond this many cores swapping, which takes quadratic memory and time, is left out
LARGEST = 640
_ROUNDS = 8
Floats = NDArray[np.float64]


def place_cores(
    program: ChipProgram, chip: ChipProfile, cores: tuple[Core, ...], rates: Table[str, Floats] | None = None
) -> list[int]:
    """The index of the core, numbered in the order of layers, at each position.

    rates: spikes of every source element, by name, that weigh its axons; without them every axon counts the same.
    """
    if not 1 < len(cores) <= LARGEST:
        return list(range(len(cores)))
    board, weight = Board.of(chip.limits), _chip_weight(chip)
    positions = board.positions(cores)
    distances = [board.distances(positions, position) for position in (*positions, np.zeros(3, np.int64))]
    distance = np.array([routers + weight * chips for routers, chips in distances], np.float64)
    between, entering = axons_between(program, cores, rates)
    position_of = swap_cores(between, entering, distance[:-1], distance[-1])
    return [int(n) for n in np.argsort(position_of)]


def swap_cores(traffic: Floats, entering: Floats, distance: Floats, first: Floats) -> NDArray[np.int64]:
    """The position of each core, (cores,): traffic (cores, cores) in both directions, entering (cores,) from the host.

    distance (cores, cores) between positions 0, 1, ...; first (cores,) from where the host's spikes enter. The sum of
    traffic * distance is never larger than with every core at the position of its number.
    """
    count = len(traffic)
    position_of = np.arange(count, dtype=np.int64)
    both = traffic + traffic.T
    np.fill_diagonal(both, 0)
    between, outside = distance.copy(), first.copy()
    # cost of core a at the position of core b, with all others unmoved
    costs = both @ between + np.outer(entering, outside)
    for _ in range(_ROUNDS):
        moved = False
        for i in range(count):
            gain = costs[i] + costs[:, i] - costs[i, i] - np.diagonal(costs) + 2 * both[i] * between[i]
            j = int(np.argmin(gain))
            if gain[j] < -1e-6:
                costs += np.outer(both[:, i] - both[:, j], between[j] - between[i])
                _swap(i, j, position_of, between, outside)
                costs[:, [i, j]] = both @ between[:, [i, j]] + np.outer(entering, outside[[i, j]])
                moved = True
        if not moved:
            break
    return position_of


def _swap(i: int, j: int, position_of: NDArray[np.int64], between: Floats, outside: Floats) -> None:
    pair, turned = [i, j], [j, i]
    position_of[pair] = position_of[turned]
    outside[pair] = outside[turned]
    between[pair] = between[turned]
    between[:, pair] = between[:, turned]


def _chip_weight(chip: ChipProfile) -> float:
    """Routers that cost as much energy as a step to another chip."""
    link, hop = chip.energy.chip_hop, chip.energy.hop.value
    return link.value / hop if link is not None and hop > 0 else 1.0
