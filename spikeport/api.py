"""The verbs of the command line for Python: compile, load, run_recipe, open_run, chips, doctor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import nir
from rich.console import Console

from spikeport.common.errors import InputError
from spikeport.exporter.compile_options import DEFAULTS, CompileOptions, Discretize, Precision, Reset, Sums
from spikeport.exporter.program.chip_program import InputArrays
from spikeport.hardware_profiles.loader import available, load_profile
from spikeport.hardware_profiles.schema import ChipProfile, CostProfile, DeviceProfile
from spikeport.network.finished_run import Run
from spikeport.network.network import Network, compile_network, open_network
from spikeport.run.claim import new_folder
from spikeport.run.run_folder import RunFolder

from .doctor import Doctor, examine


def compile(
    graph: nir.NIRGraph | str | Path,
    chip: str | Path = "loihi2",
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

    graph: a NIR graph, or a .nir or .net file; chip: a name or a profile file; dt: seconds a step, where the graph does
    not say it; framework: the one that wrote the graph (`--from`); calibrate: sample input, one array
    a name for several inputs, by whose spikes scales are chosen; sums: "graded" adds the layers that a synapse sums
    once, as payloads. options: all of these in one value; what is given by name goes before it.
    """
    named: dict[str, Any] = {
        "dt": dt, "weight_bits": weight_bits, "framework": framework, "discretize": discretize, "reset": reset,
        "precision": precision, "calibration": calibrate, "sums": sums,
    }  # fmt: skip
    chosen = replace(options, **{name: value for name, value in named.items() if value is not None})
    model = Path(graph) if isinstance(graph, str) else graph
    return compile_network(model, str(chip), chosen)


def load(path: str | Path, chip: str | Path | None = None) -> Network:
    """Open a compiled network, MODEL.chip; chip: its profile's file, where it is a user's own. Raises InputError."""
    if Path(path).suffix != ".chip":
        raise InputError(f"{path}: is no compiled network; spikeport.compile takes .nir and .net files and NIR graphs")
    return open_network(Path(path), None if chip is None else str(chip))


def run_recipe(
    recipe: str | Path, out: str | Path | None = None, *, overwrite: bool = False, resume: bool = False
) -> Run:
    """Train, export, compile, simulate, profile, compare and report, as `spikeport run`; raises InputError.

    recipe: a shipped recipe by name, or a .toml file.
    """
    from spikeport.run.recipe import load_recipe
    from spikeport.run.shipped import find_recipe

    from .run import whole_run

    path = find_recipe(recipe)
    folder = new_folder(None if out is None else Path(out), load_recipe(path).name, overwrite, resume)
    whole_run.run_recipe(path, folder, resume, Console(), overwrite)
    return Run(folder)


def open_run(folder: str | Path) -> Run:
    """Open a finished run's folder; raises InputError if it holds none."""
    found = Run(RunFolder(Path(folder)))
    _ = found.summary  # what is wrong with it is said now
    return found


def chips() -> dict[str, ChipProfile | CostProfile | DeviceProfile]:
    """The shipped profiles by name, every number with its source."""
    return {name: load_profile(name) for name in available()}


def doctor() -> Doctor:
    """What is installed, which backends work, and the way out of what does not."""
    return examine()
