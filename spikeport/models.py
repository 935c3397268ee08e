"""Opening a model file of any kind that can be run."""

from __future__ import annotations

from pathlib import Path

from exporter.compile import compile_graph, lower_graph
from exporter.float_network import FloatNetwork
from exporter.netx.from_net import compile_net
from exporter.nir_file import read_nir
from exporter.program import ChipProgram
from exporter.program_file import load_program
from hardware_profiles.errors import InputError
from hardware_profiles.loader import load_chip


def open_model(path: Path, chip: str | None = None, dt: float | None = None) -> ChipProgram:
    """A .chip file as it is, or a .nir file compiled for `chip`; raises InputError.

    A .chip file was compiled for one chip; asking for another one is refused.
    """
    if path.suffix == ".chip":
        program = load_program(path)
        if chip is not None and load_chip(chip).name != program.chip:
            raise InputError(f"{path}: was compiled for {program.chip}, not {chip}; compile the .nir file for {chip}")
        return program
    if path.suffix == ".nir":
        if chip is None:
            raise InputError(f"{path}: is not compiled yet; name a chip with --chip, or compile it first")
        return compile_graph(read_nir(path), load_chip(chip), dt, where=str(path))
    if path.suffix == ".net":
        if chip is None:
            raise InputError(f"{path}: is not compiled yet; name a chip with --chip, or compile it first")
        return compile_net(path, load_chip(chip), dt)
    raise InputError(
        f"{path}: models to run are .chip, .nir and .net files, not {path.suffix or 'files without an ending'}"
    )


def open_both(
    path: Path, chip: str | None, dt: float | None = None, weight_bits: int | None = None
) -> tuple[FloatNetwork, ChipProgram]:
    """A .nir file as the float network and as the program compiled from it; raises InputError."""
    if path.suffix == ".chip":
        raise InputError(f"{path}: holds the chip's integers only; give the .nir file it was compiled from")
    if path.suffix != ".nir":
        raise InputError(f"{path}: {path.suffix or 'files without an ending'} cannot be compared; give a .nir file")
    if chip is None:
        raise InputError(f"{path}: is compiled to be compared; name a chip with --chip")
    profile, graph = load_chip(chip), read_nir(path)
    return lower_graph(graph, dt, str(path)), compile_graph(graph, profile, dt, weight_bits, str(path))
