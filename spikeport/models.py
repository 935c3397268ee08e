"""Opening a model file of any kind that can be run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nir

from exporter.compile import compile_graph, lower_graph
from exporter.dialects import get_dialect
from exporter.discretize import Discretize
from exporter.float_network import FloatNetwork, Reset
from exporter.flow import dump_to
from exporter.netx.from_net import compile_net
from exporter.nir_file import read_nir
from exporter.program import ChipProgram
from exporter.program_file import load_program
from exporter.quantise import Precision
from hardware_profiles.errors import InputError
from hardware_profiles.loader import load_chip
from lava_runtime.inputs import load_input


@dataclass(frozen=True)
class Choices:
    """What the user may say about compiling a network; a compiled one has no choice left.

    dt in seconds; framework: the one that wrote the file, which decides what is left out of the next two
    (exporter/dialects.py); calibrate: a file of sample input; the others as in exporter/compile.py.
    """

    dt: float | None = None
    weight_bits: int | None = None
    framework: str | None = None
    discretize: Discretize | None = None
    reset: Reset | None = None
    precision: Precision = "normal"
    calibrate: Path | None = None

    def given(self) -> list[str]:
        """The options that differ from the defaults, as they are called on the command line."""
        called = {"framework": "from"}
        return [
            f"--{called.get(name, name).replace('_', '-')}"
            for name, value in vars(self).items()
            if value != getattr(Choices(), name)
        ]

    def meant(self, path: Path) -> Meant:
        """A .nir file as NIR means it, and how its time steps and resets work; raises InputError."""
        graph, dt = read_nir(path), self.dt
        discretize, reset = self.discretize, self.reset
        if self.framework is not None:
            dialect = get_dialect(self.framework)
            graph, dt = dialect.apply(graph, dt, str(path))
            discretize, reset = discretize or dialect.discretize, reset or dialect.reset
        return Meant(graph, dt, discretize or "euler", reset or "zero")


@dataclass(frozen=True)
class Meant:
    """A graph with what NIR does not say of it; dt in seconds, None where the graph says it."""

    graph: nir.NIRGraph
    dt: float | None
    discretize: Discretize
    reset: Reset


NO_CHOICES = Choices()


def open_model(path: Path, chip: str | None = None, choices: Choices = NO_CHOICES) -> ChipProgram:
    """A .chip file as it is, or a .nir or .net file compiled for `chip`; raises InputError.

    A .chip file was compiled for one chip; asking for another one is refused, and so are choices that come too late.
    """
    if path.suffix == ".chip":
        program = load_program(path)
        if chip is not None and load_chip(chip).name != program.chip:
            raise InputError(f"{path}: was compiled for {program.chip}, not {chip}; compile the .nir file for {chip}")
        late = [name for name in choices.given() if name != "--dt"]
        if late:
            raise InputError(f"{path}: is compiled already, too late for {', '.join(late)}; give the .nir file")
        return program
    if path.suffix not in (".nir", ".net"):
        raise InputError(
            f"{path}: models to run are .chip, .nir and .net files, not {path.suffix or 'files without an ending'}"
        )
    if chip is None:
        raise InputError(f"{path}: is not compiled yet; name a chip with --chip, or compile it first")
    if path.suffix == ".net":
        late = [name for name in choices.given() if name != "--dt"]
        if late:
            raise InputError(f"{path}: a .net file holds the chip's integers; it has no use for {', '.join(late)}")
        return compile_net(path, load_chip(chip), choices.dt)
    return _compiled(choices.meant(path), path, chip, choices)


def _compiled(meant: Meant, path: Path, chip: str, choices: Choices) -> ChipProgram:
    calibration = None if choices.calibrate is None else load_input(choices.calibrate)
    return compile_graph(
        meant.graph,
        load_chip(chip),
        meant.dt,
        choices.weight_bits,
        str(path),
        discretize=meant.discretize,
        reset=meant.reset,
        precision=choices.precision,
        calibration=calibration,
    )


def open_both(path: Path, chip: str | None, choices: Choices = NO_CHOICES) -> tuple[FloatNetwork, ChipProgram]:
    """A .nir file as the float network and as the program compiled from it; raises InputError."""
    if path.suffix == ".chip":
        raise InputError(f"{path}: holds the chip's integers only; give the .nir file it was compiled from")
    if path.suffix != ".nir":
        raise InputError(f"{path}: {path.suffix or 'files without an ending'} cannot be compared; give a .nir file")
    if chip is None:
        raise InputError(f"{path}: is compiled to be compared; name a chip with --chip")
    meant = choices.meant(path)
    network = lower_graph(meant.graph, meant.dt, str(path), discretize=meant.discretize, reset=meant.reset)
    return network, _compiled(meant, path, chip, choices)


def dump_passes(path: Path, choices: Choices, folder: Path) -> None:
    """Write a .nir file's network after each pass into a folder; raises InputError."""
    if path.suffix != ".nir":
        raise InputError(f"{path}: passes run over NIR graphs; --dump takes a .nir file")
    meant = choices.meant(path)
    lower_graph(meant.graph, meant.dt, str(path), discretize=meant.discretize, reset=meant.reset, watch=dump_to(folder))
