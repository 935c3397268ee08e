"""Parts of populations on cores, as placed by a mapping."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.mapping import Board, Core, Mapping, slices_of
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.schema import Limits

INPUT = -1
"""The core number of inputs, which are on no core."""


@dataclass(frozen=True)
class Part:
    """The neurons of one population on one core, or an input, which is on none; size: neurons or axons."""

    layer: str
    core: int
    size: int


@dataclass(frozen=True)
class Placement:
    """All parts, inputs first, those of a node contiguous.

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
        """The parts of a node, which are contiguous."""
        return self._rows[layer]

    @cached_property
    def _rows(self) -> dict[str, slice]:
        first: dict[str, int] = {}
        for number, part in enumerate(self.parts):
            first.setdefault(part.layer, number)
        stops = [*first.values(), len(self.parts)][1:]
        return {layer: slice(start, stop) for (layer, start), stop in zip(first.items(), stops, strict=True)}

    def by_core(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over the parts of each core: (..., parts) -> (..., cores); inputs are on none."""
        on_core = self.core_of != INPUT
        if np.array_equal(self.core_of[on_core], np.arange(self.cores)):
            return values[..., on_core]
        summed = np.zeros((*values.shape[:-1], self.cores))
        for number in np.flatnonzero(on_core):
            summed[..., self.core_of[number]] += values[..., number]
        return summed

    @cached_property
    def parts_by_core(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(starts, order): the parts on core c are order[starts[c] : starts[c + 1]]."""
        order = np.argsort(self.core_of, kind="stable")
        starts = np.searchsorted(self.core_of[order], np.arange(self.cores + 1))
        return starts, order

    def hops(
        self, sources: NDArray[np.int64], targets: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Routers and chips between parts, along rows and columns, elementwise; input enters at the first router."""
        routers, chips = self.board.distances(self.positions[sources], self.positions[targets])
        return routers.astype(np.float64), chips.astype(np.float64)

    @cached_property
    def positions(self) -> NDArray[np.int64]:
        """(chip, x, y) of the router of every part, (parts, 3)."""
        on_core = self.core_of != INPUT
        positions = np.zeros((len(self.parts), 3), np.int64)
        positions[on_core] = self.board.positions(self.placed)[self.core_of[on_core]]
        return positions


def placement_of(program: ChipProgram, mapping: Mapping, limits: Limits) -> Placement:
    """The parts of every population on the mapping's cores."""
    parts = [Part(port.name, INPUT, port.size) for port in program.inputs]
    slots = {port.name: np.full(port.size, number, np.int64) for number, port in enumerate(program.inputs)}
    for population in program.populations:
        slots[population.name] = np.full(population.size, -1, np.int64)
        for core, piece in slices_of(mapping.placed, population.name):
            slots[population.name][piece.neurons(population.shape)] = len(parts)
            parts.append(Part(population.name, core, piece.size))
    return Placement(tuple(parts), slots, mapping.placed, Board.of(limits), mapping.chips)
