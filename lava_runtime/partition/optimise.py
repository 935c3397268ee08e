"""Choose the partition by the cost model: split the layer that bounds a step, merge what idles, balance its cores.

As floorline-informed partitioning does (arXiv 2511.21549, section on partitioning): start from the fewest cores, give
the layer with the slowest core one core more (a tenth more of a large layer), and repeat while the chips of the start
have cores left; of all partitions on the way the best is kept; then each layer gets as few cores as cost nothing.
Ranges of a layer get equal shares of its load, so neurons move between its cores. Nothing is random. A partition says
where a neuron is updated, never how: spikes stay the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Mapping as Table
from dataclasses import dataclass
from typing import Any, Literal, get_args

from numpy.typing import NDArray

from spikeport.common.errors import InputError, check_choice
from spikeport.exporter.mapping import Board, Mapping, Slice, map_program
from spikeport.exporter.mapping.build_mapping import manual_mapping
from spikeport.exporter.mapping.finer import FinerPartitions
from spikeport.exporter.mapping.model import Core
from spikeport.exporter.mapping.placement import place_cores
from spikeport.exporter.mapping.split import split
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.schema import ChipProfile

from .rates import Rates, measured_rates
from .step_cost import StepCost, StepCosts

Goal = Literal["time", "energy", "cores"]
Parts = dict[str, list[Slice]]
# splits in a row without a better partition, after which the search ends
_PATIENCE = 12
# cores beyond which the search would take minutes and gigabytes
MOST_CORES = 2048
# of the best value: a merge that costs less is worth its cores
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Optimised:
    """The mapping for a goal, and the cost of a mean step on it and on the fewest cores."""

    goal: Goal
    mapping: Mapping
    before: StepCost
    after: StepCost


def optimise(program: ChipProgram, chip: ChipProfile, goal: Goal, rates: Rates) -> Optimised | None:
    """The mapping for a goal with its gain; None for a network that does not fit, or whose layers share cores."""
    mapping = optimised_mapping(program, chip, goal, rates)
    if not mapping.fits or any(len(core.slices) > 1 for core in mapping.placed):
        return None
    costs = StepCosts(program, chip, rates)
    return Optimised(goal, mapping, costs.of_mapping(map_program(program, chip)), costs.of_mapping(mapping))


def mapping_for(
    program: ChipProgram, chip: ChipProfile, goal: Goal | None, counts: Table[str, NDArray[Any]], steps: int
) -> Mapping | None:
    """The mapping for a goal at a run's rates; counts: spikes of every element in `steps` steps. None without a goal.

    Raises InputError as optimised_mapping does, and for a network whose layers share cores.
    """
    if goal is None:
        return None
    mapping = optimised_mapping(program, chip, goal, measured_rates(program, counts, steps))
    if goal != "cores" and mapping.fits and any(len(core.slices) > 1 for core in mapping.placed):
        raise InputError(
            f"optimise: layers share cores on {chip.name} (layers_per_core), and only cores of one layer are "
            "optimised; leave it to the default mapping"
        )
    return mapping


def optimised_mapping(program: ChipProgram, chip: ChipProfile, goal: Goal, rates: Rates) -> Mapping:
    """The mapping with the least time or energy of a mean step, or with the fewest cores; see `map_program`.

    Raises InputError for another goal, and for more than MOST_CORES. A network that does not fit the chip, or whose
    layers share cores, gets the mapping of `map_program`.
    """
    check_choice("goal", goal, get_args(Goal))
    fewest = map_program(program, chip)
    if goal == "cores" or not fewest.fits or any(len(core.slices) > 1 for core in fewest.placed):
        return fewest
    if fewest.cores > MOST_CORES:
        raise InputError(
            f"the network takes {fewest.cores:,} cores, and mappings of up to {MOST_CORES:,} are optimised; leave it "
            "to the default mapping"
        )
    costs = StepCosts(program, chip, rates)
    start = split(program, chip.limits)
    room = fewest.chips * fewest.cores_per_chip
    search = _Search(program, chip, costs, start, _value(goal))
    for parts in search.ranked(room):
        mapping = _placed(program, chip, parts, rates)
        if mapping.fits:
            return mapping
    return fewest


def _value(goal: Goal) -> Callable[[StepCost], float]:
    return (lambda cost: cost.seconds) if goal == "time" else (lambda cost: cost.joules)


class _Search:
    """Partitions found from the fewest cores on."""

    def __init__(
        self,
        program: ChipProgram,
        chip: ChipProfile,
        costs: StepCosts,
        start: Parts,
        value: Callable[[StepCost], float],
    ) -> None:
        self._costs, self._start, self._value = costs, start, value
        self._finer = {p.name: FinerPartitions(p, program, chip.limits, start[p.name]) for p in program.populations}
        self._known: dict[tuple[str, int], list[Slice] | None] = {}

    def ranked(self, room: int) -> Iterator[Parts]:
        """Partitions of at most `room` cores, the best first, each with what idles merged."""
        tried = [*self._splits(room)]
        tried.sort(key=lambda pair: pair[0])
        for best, parts in tried:
            yield self._merged(parts, best * (1 + _TOLERANCE))

    def _splits(self, room: int) -> Iterator[tuple[float, Parts]]:
        parts, best, waited = dict(self._start), float("inf"), 0
        while sum(map(len, parts.values())) <= room and waited < _PATIENCE:
            cost = self._costs.of(parts)
            value = self._value(cost)
            yield value, dict(parts)
            waited, best = (0, value) if value < best else (waited + 1, best)
            name = cost.slowest
            more = self._into(name, len(parts[name]) + max(1, len(parts[name]) // 10))
            if more is None:
                return
            parts[name] = more

    def _merged(self, parts: Parts, most: float) -> Parts:
        """Fewer cores at no more than that value, layer by layer, the one with most cores first."""
        for name in sorted(parts, key=lambda layer: -len(parts[layer])):
            low, high = len(self._start[name]), len(parts[name])
            while low < high:
                middle = (low + high) // 2
                fewer = self._into(name, middle)
                if fewer is not None and self._value(self._costs.of({**parts, name: fewer})) <= most:
                    parts, high = {**parts, name: fewer}, min(middle, len(fewer))
                else:
                    low = middle + 1
        return parts

    def _into(self, name: str, count: int) -> list[Slice] | None:
        if (name, count) not in self._known:
            self._known[name, count] = self._finer[name].into(count, self._costs.neurons[name])
        return self._known[name, count]


def _placed(program: ChipProgram, chip: ChipProfile, parts: Parts, rates: Rates) -> Mapping:
    """The partition on the board, cores swapped so that messages at these rates take short routes."""
    board = Board.of(chip.limits)
    slices = [part for layer in parts.values() for part in layer]
    cores = tuple(Core(n, *board.position(n), (part,)) for n, part in enumerate(slices))
    order = place_cores(program, chip, cores, rates)
    return manual_mapping(program, chip, {n: (slices[index],) for n, index in enumerate(order)})
