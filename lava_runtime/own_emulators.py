"""Emulators of chips whose integers are not Loihi's, by the name of the integers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from spikeport.exporter.chip_integers import family_of
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.lava_runtime.emulator.emulator import emulate

from .result import Allocator, Record, SimulationResult, zeros_in_memory
from .xylo.emulate import emulate_xylo


class Emulate(Protocol):
    """Runs a program in the chip's integers; a family of spikeport.integers may have such a function as `emulate`."""

    def __call__(
        self,
        program: ChipProgram,
        inputs: dict[str, NDArray[Any]],
        steps: int,
        record: Record = "spikes",
        progress: Callable[[int, int], None] | None = None,
        threads: int | None = None,
        allocate: Allocator = zeros_in_memory,
    ) -> SimulationResult:
        """As spikeport.lava_runtime.emulator.emulator.emulate."""


_EMULATORS: Mapping[str, Emulate] = {"loihi": emulate, "xylo": emulate_xylo}


def emulator_of(program: ChipProgram) -> Emulate:
    """The emulator of a program's integers; that of Loihi steps other chips' neurons as well, population by population.

    Raises InputError if the package that defines the integers is not installed.
    """
    name = program.integers
    if name in _EMULATORS:
        return _EMULATORS[name]
    own: Emulate | None = getattr(family_of(name, "the program"), "emulate", None)
    return emulate if own is None else own
