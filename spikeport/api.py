"""The verbs of the command line for Python: compile, load, run_recipe, open_run, chips, doctor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import nir

from spikeport.common.errors import InputError
from spikeport.console.visible import new_console
from spikeport.exporter.compile_options import DEFAULTS, CompileOptions, Discretize, Precision, Reset, Sums
from spikeport.exporter.program.chip_program import InputArrays
from spikeport.hardware_profiles.loader import available, load_profile
from spikeport.hardware_profiles.schema import ChipProfile, CostProfile, DeviceProfile
from spikeport.network.arguments import chip_name, graph_or_file, path_of
from spikeport.network.finished_run import FinishedRun
from spikeport.network.network import Network, compile_network, open_network
from spikeport.run.claim import new_folder
from spikeport.run.run_folder import RunFolder

from .doctor_checks import Doctor, run_checks


def compile(
    graph: nir.NIRGraph | str | Path,
    chip: str | Path | ChipProfile = "loihi2",
    dt: float | None = None,
    *,
    options: CompileOptions = DEFAULTS,
    weight_bits: int | None = None,
    framework: str | None = None,
    discretize: Discretize | None = None,
    reset: Reset | None = None,
    precision: Precision | None = None,
    calibrate: InputArrays | str | Path | None = None,
    sums: Sums | None = None,
) -> Network:
    """Compile a network to a chip's integers, as `spikeport compile`; raises InputError.

    graph: a NIR graph, or a .nir or .net file; chip: a name, a profile file, or a shipped profile; dt: seconds per
    step, if the graph does not state it; framework: the one that wrote the graph (`--from`); calibrate: sample input
    whose spikes determine the scales, one array per name for several inputs; sums: "graded" adds the layers that a
    connection sums once, as payloads. options: all of these in one value; arguments given by name take precedence.
    """
    named: dict[str, Any] = {
        "dt": dt, "weight_bits": weight_bits, "framework": framework, "discretize": discretize, "reset": reset,
        "precision": precision, "calibration": calibrate, "sums": sums,
    }  # fmt: skip
    if not isinstance(options, CompileOptions):
        raise InputError(f"options is a value of type {type(options).__name__}; give spikeport.CompileOptions(...)")
    selected = replace(options, **{name: value for name, value in named.items() if value is not None})
    return compile_network(graph_or_file(graph), chip_name(chip), selected)


def load(path: str | Path, chip: str | Path | None = None) -> Network:
    """Open a compiled network, MODEL.chip; chip: its profile's file, if it is not a shipped one. Raises InputError."""
    if path_of("path", path).suffix != ".chip":
        raise InputError(
            f"{path}: is not a compiled network; spikeport.compile takes .nir and .net files and NIR graphs"
        )
    return open_network(Path(path), None if chip is None else chip_name(chip))


def run_recipe(
    recipe: str | Path, out: str | Path | None = None, *, overwrite: bool = False, resume: bool = False
) -> FinishedRun:
    """Train, export, compile, simulate, profile, compare and report, as `spikeport run`; raises InputError.

    recipe: a shipped recipe by name, or a .toml file.
    """
    from spikeport.run.recipe import load_recipe
    from spikeport.run.shipped import find_recipe

    from .run import whole_run

    path = find_recipe(path_of("recipe", recipe))
    folder = new_folder(None if out is None else path_of("out", out), load_recipe(path).name, overwrite, resume)
    whole_run.run_recipe(path, folder, resume, new_console(), overwrite)
    return FinishedRun(folder)


def open_run(folder: str | Path) -> FinishedRun:
    """Open a finished run's folder; raises InputError if it holds none."""
    run = FinishedRun(RunFolder(path_of("folder", folder)))
    _ = run.summary  # raises now if it is missing or broken
    return run


def chips() -> dict[str, ChipProfile | CostProfile | DeviceProfile]:
    """The shipped profiles by name; every number has its source."""
    return {name: load_profile(name) for name in available()}


def doctor() -> Doctor:
    """Check what is installed and which backends work, with a fix for whatever does not."""
    return run_checks()
