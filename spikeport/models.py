"""Opening a model file of any kind that can be run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nir
from numpy.typing import NDArray

from exporter.compile import compile_graph, lower_graph
from exporter.dialects import get_dialect
from exporter.discretize import Discretize
from exporter.float_network import FloatNetwork, Reset
from exporter.flow import dump_to
from exporter.graded_sums import Sums
from exporter.netx.for_net import compile_for_net
from exporter.netx.from_net import compile_net
from exporter.nir_file import read_nir
from exporter.program import ChipProgram, Given
from exporter.program_file import load_program
from hardware_profiles.errors import InputError, nearest_file
from hardware_profiles.loader import load_chip
from lava_runtime.input_files import open_input
from lava_runtime.inputs import load_input

from .choices import NO_CHOICES, Choices
from .folder import RunFolder


@dataclass(frozen=True)
class Meant:
    """A graph with what NIR does not say of it; dt in seconds, None where the graph says it.

    sums: what the chip does with layers that a synapse sums; it moves the steps at which layers run.
    """

    graph: nir.NIRGraph
    dt: float | None
    discretize: Discretize
    reset: Reset
    sums: Sums


def meant(model: Path | nir.NIRGraph, choices: Choices = NO_CHOICES) -> Meant:
    """A graph or .nir file as NIR means it, and how its time steps and resets work; raises InputError."""
    where = name_of(model)
    graph, dt = (read_nir(model) if isinstance(model, Path) else model), choices.dt
    discretize, reset = choices.discretize, choices.reset
    if choices.framework is not None:
        dialect = get_dialect(choices.framework)
        graph, dt = dialect.apply(graph, dt, where)
        discretize, reset = discretize or dialect.discretize, reset or dialect.reset
    return Meant(graph, dt, discretize or "euler", reset or "zero", choices.sums)


def name_of(model: Path | nir.NIRGraph) -> str:
    """What errors call a model."""
    return str(model) if isinstance(model, Path) else "graph"


def open_model(path: Path, chip: str | None = None, choices: Choices = NO_CHOICES) -> ChipProgram:
    """A .chip file as it is, or a .nir or .net file compiled for `chip`; raises InputError.

    A .chip file was compiled for one chip; asking for another one is refused, and so are choices that come too late.
    """
    if path.suffix == ".chip":
        program = load_program(path)
        if chip is not None and load_chip(chip).name != program.chip:
            raise InputError(f"{path}: was compiled for {program.chip}, not {chip}; compile the .nir file for {chip}")
        late = choices.late()
        if late:
            raise InputError(f"{path}: is compiled already, too late for {', '.join(late)}; give the .nir file")
        return program
    if path.suffix not in (".nir", ".net", ".onnx"):
        ending = path.suffix or "files without an ending"
        hint = nearest_file(path)
        raise InputError(f"{path}: models to run are .chip, .nir, .net and .onnx files, not {ending}{hint}")
    if chip is None:
        raise InputError(f"{path}: is not compiled yet; name a chip with --chip, or compile it first")
    if path.suffix == ".net":
        late = choices.late()
        if late:
            raise InputError(f"{path}: a .net file holds the chip's integers; it has no use for {', '.join(late)}")
        return compile_net(path, load_chip(chip), choices.dt)
    if path.suffix == ".onnx":
        return compile_onnx(path, chip, choices)
    return compile_meant(meant(path, choices), str(path), chip, choices)


def compile_onnx(path: Path, chip: str, choices: Choices) -> ChipProgram:
    """An ANN of ReLUs, rate-coded; raises InputError without sample input."""
    late = [name for name in choices.given() if name not in ("--precision", "--calibrate")]
    if late:
        raise InputError(f"{path}: an ANN has no {', '.join(late)}; leave them out")
    sample = _sample_images(choices)
    if sample is None:
        raise InputError(
            f"{path}: thresholds are balanced on sample input; give it with --calibrate X.npy, (N, *shape)"
        )
    where = str(choices.calibrate) if isinstance(choices.calibrate, Path) else "calibration"
    from exporter.onnx_in.convert import convert_onnx

    return convert_onnx(path, load_chip(chip), sample, precision=choices.precision, where=where).program


def compile_meant(network: Meant, where: str, chip: str, choices: Choices) -> ChipProgram:
    """Compile a graph as it is meant; raises InputError."""
    return compile_graph(
        network.graph,
        load_chip(chip),
        network.dt,
        choices.weight_bits,
        where,
        discretize=network.discretize,
        reset=network.reset,
        precision=choices.precision,
        calibration=_sample_spikes(choices, network, where),
        sums=network.sums,
    )


def open_for_net(path: Path, chip: str | None, choices: Choices = NO_CHOICES) -> ChipProgram:
    """What a .net file can say of a model: a .chip or .net file as it is; a .nir file or a run's network rounded.

    Raises InputError; chip: whose words the numbers must fit, default loihi2.
    """
    if path.suffix in (".chip", ".net"):
        return open_model(path, chip if path.suffix == ".chip" else chip or "loihi2", choices)
    if choices.precision != "normal" or choices.weight_bits is not None:
        raise InputError(f"{path}: weights of a .net file have 8 bits; leave --precision and --weight-bits out")
    if path.is_dir():
        from exporter.from_torch import network_to_nir
        from trainer.methods import load_trained

        found = meant(network_to_nir(load_trained(RunFolder(path).network).spiking_network), choices)
    elif path.suffix == ".nir":
        found = meant(path, choices)
    else:
        raise InputError(f"{path}: .net files are written of a run's folder, a .chip or a .nir file; give one of those")
    return compile_for_net(
        found.graph,
        load_chip(chip or "loihi2"),
        found.dt,
        str(path),
        discretize=found.discretize,
        reset=found.reset,
        calibration=_sample_spikes(choices, found, str(path)),
    )


def _sample_images(choices: Choices) -> NDArray[Any] | None:
    """An ANN's sample input, read where it is a file; raises InputError."""
    sample = choices.calibrate
    if isinstance(sample, Mapping):
        raise InputError(f"calibration input holds {', '.join(sample) or 'nothing'}, but an ANN takes one array")
    return load_input(sample) if isinstance(sample, Path) else sample


def _sample_spikes(choices: Choices, network: Meant, where: str) -> Given | None:
    """A graph's sample input, read where it is a file, of any kind that a run takes; raises InputError."""
    sample = choices.calibrate
    if not isinstance(sample, Path):
        return sample
    return load_input(sample) if sample.suffix == ".npy" else open_input(sample, lower_meant(network, where))


def open_both(path: Path, chip: str | None, choices: Choices = NO_CHOICES) -> tuple[FloatNetwork, ChipProgram]:
    """A .nir file as the float network and as the program compiled from it; raises InputError."""
    if path.suffix == ".chip":
        raise InputError(f"{path}: holds the chip's integers only; give the .nir file it was compiled from")
    if path.suffix != ".nir":
        raise InputError(f"{path}: {path.suffix or 'files without an ending'} cannot be compared; give a .nir file")
    if chip is None:
        raise InputError(f"{path}: is compiled to be compared; name a chip with --chip")
    source = meant(path, choices)
    return lower_meant(source, str(path)), compile_meant(source, str(path), chip, choices)


def lower_meant(network: Meant, where: str) -> FloatNetwork:
    """The float network of a graph as it is meant; raises InputError."""
    return lower_graph(
        network.graph, network.dt, where, discretize=network.discretize, reset=network.reset, sums=network.sums
    )


def dump_passes(path: Path, choices: Choices, folder: Path) -> None:
    """Write a .nir file's network after each pass into a folder; raises InputError."""
    if path.suffix != ".nir":
        raise InputError(f"{path}: passes run over NIR graphs; --dump takes a .nir file")
    source = meant(path, choices)
    lower_graph(
        source.graph,
        source.dt,
        str(path),
        discretize=source.discretize,
        reset=source.reset,
        sums=source.sums,
        watch=dump_to(folder),
    )
