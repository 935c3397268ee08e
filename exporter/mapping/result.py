"""A mapping: every used core of the board, how full it is, and whether everything fits."""

from __future__ import annotations

from collections.abc import Mapping as Table
from dataclasses import dataclass

from spikeport.exporter.mapping.resources.core_resources import Amounts

from .board import Board
from .model import Core, LimitName


@dataclass(frozen=True)
class LayerMapping:
    """One population on its cores; fill: the largest fraction of each limit that one of them uses."""

    name: str
    cores: int
    neurons_per_core: int
    fill: Table[LimitName, float]
    fits: bool

    @property
    def limit(self) -> LimitName:
        """The limit that is closest to being exceeded, or exceeded most."""
        return max(self.fill, key=lambda name: self.fill[name])


@dataclass(frozen=True)
class Mapping:
    """All populations on the cores of a board.

    placed: every core in use with its slices, by number; fills: the fraction of each limit that it uses; advice: what
    does not fit and the remedy, one sentence each.
    """

    layers: tuple[LayerMapping, ...]
    board: Board
    placed: tuple[Core, ...]
    fills: tuple[Amounts, ...]
    advice: tuple[str, ...]

    @property
    def cores(self) -> int:
        """Number of cores."""
        return len(self.placed)

    @property
    def chips(self) -> int:
        """Chips in use."""
        return len({core.chip for core in self.placed})

    @property
    def cores_per_chip(self) -> int:
        """Cores of one chip."""
        return self.board.cores_per_chip

    @property
    def fits(self) -> bool:
        """Whether every core keeps every limit and the board has enough of them."""
        return not self.advice

    def layer(self, name: str) -> LayerMapping:
        """The mapping of one population; raises KeyError."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def reasons(self) -> list[str]:
        """What does not fit, one sentence each, with the remedy."""
        return list(self.advice)
