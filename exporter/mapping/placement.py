"""Where cores lie: in the order of the layers, then exchanged to shorten ways.

Cores are numbered so that neighbours follow each other, chip after chip, and so do layers: a good start. In
networks that are not too large two cores then change places wherever that makes the sum of (axons between two cores) *
(routers between them) smaller, in a fixed order and a bounded number of rounds. A step to another chip counts as many
routers as its energy is worth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.schema import ChipProfile

from .board import Board
from .model import Core
from .traffic import axons_between

# beyond this many cores the exchange, which takes their square in memory and time, is left out
LARGEST = 640
_ROUNDS = 8
Floats = NDArray[np.float64]


def arranged(program: ChipProgram, chip: ChipProfile, cores: tuple[Core, ...]) -> list[int]:
    """Which of the cores, numbered in the order of layers, comes to each place."""
    if not 1 < len(cores) <= LARGEST:
        return list(range(len(cores)))
    board, weight = Board.of(chip.limits), _chip_weight(chip)
    places = board.places(cores)
    ways = [board.ways(places, place) for place in (*places, np.zeros(3, np.int64))]
    distance = np.array([routers + weight * chips for routers, chips in ways], np.float64)
    between, entering = axons_between(program, cores)
    taken = exchanged(between, entering, distance[:-1], distance[-1])
    return [int(n) for n in np.argsort(taken)]


def exchanged(traffic: Floats, entering: Floats, distance: Floats, first: Floats) -> NDArray[np.int64]:
    """Which place each core takes, (cores,): traffic (cores, cores) both ways, entering (cores,) from the host.

    distance (cores, cores) between places 0, 1, ...; first (cores,) from where the host's spikes enter. The sum of
    traffic * distance is never larger than with every core at the place of its number.
    """
    count = len(traffic)
    taken = np.arange(count, dtype=np.int64)
    both = traffic + traffic.T
    np.fill_diagonal(both, 0)
    between, outside = distance.copy(), first.copy()
    # cost of core a at the place of core b, all others where they are
    costs = both @ between + np.outer(entering, outside)
    for _ in range(_ROUNDS):
        moved = False
        for i in range(count):
            gain = costs[i] + costs[:, i] - costs[i, i] - np.diagonal(costs) + 2 * both[i] * between[i]
            j = int(np.argmin(gain))
            if gain[j] < -1e-6:
                costs += np.outer(both[:, i] - both[:, j], between[j] - between[i])
                _swap(i, j, taken, between, outside)
                costs[:, [i, j]] = both @ between[:, [i, j]] + np.outer(entering, outside[[i, j]])
                moved = True
        if not moved:
            break
    return taken


def _swap(i: int, j: int, taken: NDArray[np.int64], between: Floats, outside: Floats) -> None:
    pair, turned = [i, j], [j, i]
    taken[pair] = taken[turned]
    outside[pair] = outside[turned]
    between[pair] = between[turned]
    between[:, pair] = between[:, turned]


def _chip_weight(chip: ChipProfile) -> float:
    """Routers that a step to another chip is worth, by energy."""
    link, hop = chip.energy.chip_hop, chip.energy.hop.value
    return link.value / hop if link is not None and hop > 0 else 1.0
