"""`spikeport check`: what a network fills of a chip's cores."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from exporter.mapping import Mapping, map_program
from exporter.program import ChipProgram
from hardware_profiles.schema import ChipProfile

from ..output import say
from ..summary import mapping_parts
from .shown import Shown


@dataclass(frozen=True, repr=False)
class Fit(Shown):
    """A network on a chip's cores, layer by layer; neurons: of each layer."""

    network: str
    chip: str
    mapping: Mapping
    neurons: NDArray[np.int64]

    @classmethod
    def of(cls, name: str, program: ChipProgram, chip: ChipProfile) -> Fit:
        """Lay a program on a chip's cores."""
        mapping = map_program(program, chip)
        sizes = [program.population(layer.name).size for layer in mapping.layers]
        return cls(name, chip.title, mapping, np.array(sizes, np.int64))

    @property
    def fits(self) -> bool:
        """Whether all of it fits one chip."""
        return self.mapping.fits

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers, in the order of every array."""
        return tuple(layer.name for layer in self.mapping.layers)

    @property
    def cores(self) -> NDArray[np.int64]:
        """Cores of each layer."""
        return np.array([layer.cores for layer in self.mapping.layers], np.int64)

    @property
    def fill(self) -> Dictionary[str, NDArray[np.float64]]:
        """Limit -> the share of it that the fullest core of each layer uses."""
        names = self.mapping.layers[0].fill if self.mapping.layers else {}
        return {name: np.array([layer.fill[name] for layer in self.mapping.layers]) for name in names}

    @property
    def reasons(self) -> tuple[str, ...]:
        """What does not fit, a sentence each."""
        return tuple(self.mapping.reasons())

    def parts(self) -> dict[str, Any]:
        """The mapping as in summary.json, and what does not fit."""
        return {**mapping_parts(self.mapping), "network": self.network, "chip": self.chip, "reasons": self.reasons}

    def show(self, console: Console) -> None:
        """A table of the layers, what does not fit, and the verdict."""
        fill = self.fill
        title = escape(f"{self.network} on {self.chip}")
        table = Table("layer", "neurons", "cores", "neurons a core", *fill, title=title)
        for index, layer in enumerate(self.mapping.layers):
            shares = [f"{values[index]:.0%}" for values in fill.values()]
            counts = map(str, (self.neurons[index], layer.cores, layer.neurons_per_core))
            table.add_row(escape(layer.name), *counts, *shares)
        console.print(table)
        for sentence in self.reasons:
            say(console, sentence)
        verdict = "fits" if self.fits else "does not fit"
        say(console, f"{verdict}: {self.mapping.cores} of {self.mapping.cores_per_chip} cores")
