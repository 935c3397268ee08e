"""Where a program's neurons lie: parts of populations on cores, as a mapping has placed them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.mapping import Board, Core, Mapping, slices_of
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.schema import Limits

INPUT = -1
"""The core of what enters from outside."""


@dataclass(frozen=True)
class Part:
    """What one core holds of one population, or an input, which lies on none; size: neurons or axons."""

    layer: str
    core: int
    size: int


@dataclass(frozen=True)
class Placement:
    """All parts, inputs first, those of a node in a row.

    slots: the part of every source element of a node, (size,), by the node's name. placed: the cores by number.
    """

    parts: tuple[Part, ...]
    slots: dict[str, NDArray[np.int64]]
    placed: tuple[Core, ...]
    board: Board
    chips: int

    @property
    def cores(self) -> int:
        """Cores in use."""
        return len(self.placed)

    @cached_property
    def core_of(self) -> NDArray[np.int64]:
        """The core of every part, INPUT for inputs, (parts,)."""
        return np.array([part.core for part in self.parts], np.int64)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Neurons of every part, 0 for inputs, (parts,)."""
        return np.array([part.size if part.core != INPUT else 0 for part in self.parts], np.int64)

    def of(self, layer: str) -> slice:
        """The parts of a node, which stand in a row."""
        return self._rows[layer]

    @cached_property
    def _rows(self) -> dict[str, slice]:
        first: dict[str, int] = {}
        for number, part in enumerate(self.parts):
            first.setdefault(part.layer, number)
        ends = [*first.values(), len(self.parts)][1:]
        return {layer: slice(begin, end) for (layer, begin), end in zip(first.items(), ends, strict=True)}

    def by_core(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over the parts of each core: (..., parts) -> (..., cores); inputs are on none."""
        held = self.core_of != INPUT
        if np.array_equal(self.core_of[held], np.arange(self.cores)):
            return values[..., held]
        summed = np.zeros((*values.shape[:-1], self.cores))
        for number in np.flatnonzero(held):
            summed[..., self.core_of[number]] += values[..., number]
        return summed

    @cached_property
    def held(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The parts on every core: those of core c are the second's elements from the first's c to its c + 1."""
        order = np.argsort(self.core_of, kind="stable")
        begins = np.searchsorted(self.core_of[order], np.arange(self.cores + 1))
        return begins, order

    def hops(
        self, sources: NDArray[np.int64], targets: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Routers and chips from parts to parts, along rows and columns, elementwise; input enters at the first."""
        routers, chips = self.board.distances(self._places[sources], self._places[targets])
        return routers.astype(np.float64), chips.astype(np.float64)

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        """(chip, x, y) of the router of every part, (parts, 3)."""
        held = self.core_of != INPUT
        places = np.zeros((len(self.parts), 3), np.int64)
        places[held] = self.board.positions(self.placed)[self.core_of[held]]
        return places


def place(program: ChipProgram, mapping: Mapping, limits: Limits) -> Placement:
    """The parts of every population on the mapping's cores."""
    parts = [Part(port.name, INPUT, port.size) for port in program.inputs]
    slots = {port.name: np.full(port.size, number, np.int64) for number, port in enumerate(program.inputs)}
    for population in program.populations:
        slots[population.name] = np.full(population.size, -1, np.int64)
        for core, held in slices_of(mapping.placed, population.name):
            slots[population.name][held.neurons(population.shape)] = len(parts)
            parts.append(Part(population.name, core, held.size))
    return Placement(tuple(parts), slots, mapping.placed, Board.of(limits), mapping.chips)
