"""Opens model files of any kind that can be run."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import nir
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.exporter.chip_integers import check_limits
from spikeport.exporter.compile import compile_graph, lower_graph
from spikeport.exporter.compile_options import DEFAULTS, CompileOptions
from spikeport.exporter.lowering.pass_pipeline import dump_to
from spikeport.exporter.netx.compile_for_net import compile_for_net
from spikeport.exporter.netx.from_net import compile_net
from spikeport.exporter.nir_graph.nir_file import read_nir
from spikeport.exporter.program.chip_file import load_program
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.loader import load_chip
from spikeport.lava_runtime.doubtful_input import InputWarning, doubts
from spikeport.lava_runtime.inputs import load_input
from spikeport.run.run_folder import RunFolder

from .choices import given, late
from .input_files import is_recording, open_spikes
from .model_files import check_model_file

MODEL_ENDINGS = (".chip", ".nir", ".net", ".onnx")


def open_model(path: Path, chip: str | None = None, options: CompileOptions = DEFAULTS) -> ChipProgram:
    """A .chip file as it is, or a .nir, .net or .onnx file compiled for `chip`; raises InputError.

    A .chip file was compiled for one chip; another chip is refused, and so are options that have no effect any more.
    A program beyond the limits of a chip with integers of its own is refused (DoesNotFitError); Loihi's are those of
    cores, which `check` lists.
    """
    check_model_file(path, MODEL_ENDINGS)
    if path.suffix == ".chip":
        program = load_program(path)
        if chip is not None and load_chip(chip).name != program.chip:
            raise InputError(f"{path}: was compiled for {program.chip}, not {chip}; compile the .nir file for {chip}")
        unused = late(options)
        if unused:
            raise InputError(f"{path}: is compiled already, too late for {', '.join(unused)}; give the .nir file")
        if program.integers != "loihi":
            check_limits(program, load_chip(chip or program.chip), str(path))
        return program
    if chip is None:
        raise InputError(f"{path}: is not compiled yet; name a chip with --chip, or compile it first")
    if path.suffix == ".net":
        unused = late(options)
        if unused:
            raise InputError(f"{path}: a .net file holds the chip's integers; it does not use {', '.join(unused)}")
        return compile_net(path, load_chip(chip), options.dt)
    if path.suffix == ".onnx":
        return compile_onnx(path, chip, options)
    return compile_nir(read_nir(path), chip, options, str(path))


def compile_onnx(path: Path, chip: str, options: CompileOptions) -> ChipProgram:
    """An ANN of ReLUs, rate-coded; raises InputError without sample input."""
    unused = [name for name in given(options) if name not in ("--precision", "--calibrate")]
    if unused:
        raise InputError(f"{path}: an ANN has no {', '.join(unused)}; leave them out")
    sample = sample_images(options)
    if sample is None:
        raise InputError(
            f"{path}: thresholds are balanced on sample input; give it with --calibrate X.npy, (N, *shape)"
        )
    context = "calibration" if options.sample_file is None else str(options.sample_file)
    from spikeport.exporter.onnx.convert import convert_onnx

    return convert_onnx(path, load_chip(chip), sample, precision=options.precision, context=context).program


def compile_nir(
    graph: nir.NIRGraph, chip: str, options: CompileOptions = DEFAULTS, context: str = "graph"
) -> ChipProgram:
    """Compile a graph for a chip, by name or path; calibrates if a file is given. Raises InputError."""
    with_arrays = with_sample(options, graph, context)
    program = compile_graph(graph, load_chip(chip), with_arrays, context)
    sample = with_arrays.calibration
    if sample is not None and not isinstance(sample, (str, Path)):
        named = "calibration input" if options.sample_file is None else str(options.sample_file)
        for doubt in doubts(program, sample, named):
            warnings.warn(doubt, InputWarning, stacklevel=3)
    return program


def open_for_net(path: Path, chip: str | None, options: CompileOptions = DEFAULTS) -> ChipProgram:
    """A model as a .net file can hold it: a .chip or .net file unchanged; a .nir file or a run's network rounded.

    Raises InputError; chip: the numbers must fit its number formats; default loihi2.
    """
    if path.suffix in (".chip", ".net"):
        return open_model(path, chip if path.suffix == ".chip" else chip or "loihi2", options)
    if path.is_dir():
        from spikeport.exporter.from_torch import network_to_nir
        from spikeport.trainer.methods.registry import load_trained

        graph = network_to_nir(load_trained(RunFolder(path).network).spiking_network)
    elif path.suffix == ".nir":
        graph = read_nir(path)
    else:
        raise InputError(
            f"{path}: .net files are written from a run's folder, a .chip or a .nir file; give one of those"
        )
    context = str(path)
    return compile_for_net(graph, load_chip(chip or "loihi2"), with_sample(options, graph, context), context)


def check_comparable(path: Path, chip: str | None) -> None:
    """Raises InputError for a model that has no float network to compare with, or no chip to compile it for."""
    check_model_file(path, MODEL_ENDINGS)
    if path.suffix == ".chip":
        raise InputError(f"{path}: holds the chip's integers only; give the .nir file it was compiled from")
    if path.suffix != ".nir":
        raise InputError(f"{path}: {path.suffix or 'files without an ending'} cannot be compared; give a .nir file")
    if chip is None:
        raise InputError(f"{path}: must be compiled for the comparison; name a chip with --chip")


def dump_passes(path: Path, options: CompileOptions, folder: Path) -> None:
    """Write a .nir file's network after each pass into a folder; raises InputError."""
    if path.suffix != ".nir":
        raise InputError(f"{path}: passes run over NIR graphs; --dump takes a .nir file")
    lower_graph(read_nir(path), options, str(path), dump_to(folder))


def sample_images(options: CompileOptions) -> NDArray[Any] | None:
    """An ANN's sample input, read if it is a file; raises InputError."""
    sample = options.sample if options.sample_file is None else load_input(options.sample_file)
    if isinstance(sample, Mapping):
        raise InputError(f"calibration input holds {', '.join(sample) or 'nothing'}, but an ANN takes one array")
    return sample


def with_sample(options: CompileOptions, graph: nir.NIRGraph, context: str) -> CompileOptions:
    """The options with the sample input read if it is a file; raises InputError."""
    file = options.sample_file
    if file is None:
        return options
    is_array = file.suffix == ".npy" and not is_recording(file)
    sample = load_input(file) if is_array else open_spikes(file, lower_graph(graph, options, context))[0]
    return replace(options, calibration=sample)
