"""A whole run: train, export, compile, simulate on every backend, profile, compare, report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from spikeport.common.errors import InputError
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.loader import load_chip
from spikeport.lava_runtime.lava_backend.child import lava_missing
from spikeport.lava_runtime.partition.optimise import mapping_for
from spikeport.lava_runtime.profiling.profile import profile_run
from spikeport.lava_runtime.result import SimulationResult
from spikeport.report import print_summary, write_report
from spikeport.summary import Seeds
from spikeport.trainer.loop.parallel import this_process

from . import stages
from .claim import claimed
from .findings import Findings
from .float_twin import train_float_twin
from .recipe import Recipe, load_recipe
from .run_folder import RunFolder
from .seeds import first_run, more_seeds, run_seed
from .shipped import shown_recipe

_LAVA_LIMIT_SECONDS = 1800.0


@dataclass
class Clock:
    """Wall-clock and CPU seconds by stage; prints each stage as it starts."""

    console: Console
    seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, description: str) -> Iterator[None]:
        """Time a stage and print its description."""
        self.console.print(f"[bold]{name}[/bold]  {description}", highlight=False)
        start, cpu_start = time.perf_counter(), time.process_time()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 3)
        self.cpu_seconds[name] = round(time.process_time() - cpu_start, 3)


def run_recipe(
    path: Path, folder: RunFolder, resume: bool, console: Console, overwrite: bool = False, device: str | None = None
) -> dict[str, Any]:
    """Run a recipe into a folder; returns the summary. Raises InputError or BackendError.

    An existing run is replaced only with overwrite, and stays complete until the new one is complete. device: in place
    of the recipe's.
    """
    recipe = load_recipe(path, device)
    if this_process().count > 1:
        raise InputError(
            f"run uses one process; train with several, `torchrun -m spikeport train {path} --out {folder.path}`, "
            "then continue with `spikeport run --resume`"
        )
    with claimed(folder, resume, overwrite) as target:
        summary = _run(recipe, path, target, _commands(path, folder, recipe), resume, console)
    console.print(f"Report: {folder.report}", highlight=False, soft_wrap=True)
    return summary


def _run(
    recipe: Recipe, path: Path, folder: RunFolder, calls: list[str], resume: bool, console: Console
) -> dict[str, Any]:
    chip = load_chip(recipe.chip)
    clock = Clock(console)
    data = stages.dataset_of(recipe)
    data.check_test_fits()
    with clock.stage("train", f"{recipe.training.method} on {recipe.dataset}, {recipe.training.epochs} epochs"):
        method = stages.begin_and_train(recipe, folder, data, resume, partial(folder.begin, path))
    with clock.stage("twin", "the ANN with the same layers"):
        twin = stages.train_twin(recipe, folder, data, resume, progress=True)
    float_twin = None
    if recipe.float_twin and recipe.network.chip_aware is not None:
        with clock.stage("float twin", "the same network, trained in floating point"):
            float_twin = train_float_twin(recipe, folder, data, resume)
    with clock.stage("export", f"{folder.nir.name}, {folder.onnx.name}, {folder.onnx_int8.name}"):
        stages.export_nir(folder, method)
        stages.export_twin(folder, twin, data)
    with clock.stage("compile", f"{folder.chip.name} for {chip.title}"):
        program = stages.compile_nir(folder, recipe)
    with clock.stage("simulate", f"{len(data.y_test)} test samples in the emulator"):
        x = stages.encode_test(folder, method, data)
        result = _simulate(program, x, "emulator", console)
        result_file = SimulationResult(result.spikes, result.neuron_counts, result.steps)
        result_file.save(folder.result)
        if method.objective.task.name == "spike_count":
            stages.write_raster(folder, program, x, result, data)
    equal = _other_backends(recipe, program, x, result, clock)
    with clock.stage("profile", "spikes, synaptic operations, energy"):
        mapping = mapping_for(program, chip, recipe.optimise, result.neuron_counts, result.steps)
        profile = profile_run(program, result, chip, x, mapping)
    with clock.stage("diff", "float compared with fixed point, layer by layer"):
        difference = stages.float_difference(folder, recipe, program, x)
    with clock.stage("compare", "the ANN twin on " + ", ".join(recipe.devices)):
        answers = stages.measure(folder, method, data, program, result)
        sizes = stages.twin_sizes(twin.twin_layers(), data.input_shape)
        # one inference of a twin that sees each step alone is all of them
        sizes *= recipe.training.steps if twin.task.each_step else 1
        costs = stages.compare_devices(sizes, recipe.devices)
    seeds = None
    if recipe.seeds > 1:
        with clock.stage("seeds", f"{recipe.seeds - 1} more trainings, from the next seeds"):
            first = first_run(recipe, answers, profile)
            seeds = Seeds.of([first, *(run_seed(recipe, folder, data, seed, resume) for seed in more_seeds(recipe))])
    findings = Findings(
        recipe, chip, program, len(data.y_test), answers, equal, profile, difference, costs, float_twin, seeds
    )
    summary = findings.summary(clock.seconds, clock.cpu_seconds, calls)
    values = summary.to_dict()
    folder.write_summary(values)
    write_report(folder.path)
    print_summary(summary, console)
    return values


def _simulate(program: ChipProgram, x: Any, backend: Any, console: Console) -> SimulationResult:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"{backend}", total=None)
        return stages.simulate_test(
            program, x, backend, lambda done, total: bar.update(task, completed=done, total=total), _LAVA_LIMIT_SECONDS
        )


def _other_backends(
    recipe: Recipe, program: ChipProgram, x: Any, result: SimulationResult, clock: Clock
) -> dict[str, bool | None]:
    equal: dict[str, bool | None] = {"lava": None, "stock": None}
    missing = lava_missing() if program.integers == "loihi" else f"it does not compute with {program.chip}'s integers"
    if missing:
        clock.console.print(f"[bold]lava[/bold]  left out: {missing}", highlight=False)
        return equal
    for backend in recipe.backends:
        with clock.stage(backend, "the same in Lava, every spike and state compared"):
            equal[backend] = stages.equal_to(result, _simulate(program, x, backend, clock.console))
    return equal


def _commands(path: Path, folder: RunFolder, recipe: Recipe) -> list[str]:
    chip = f"--chip {recipe.chip}"
    model = f"{folder.path / 'model.chip'}"
    return [
        f"spikeport run {shown_recipe(path)} --out {folder.path}",
        f"spikeport check {model} {chip}",
        f"spikeport simulate {model} --input {folder.test_input} --backend emulator -o out.npz",
        f"spikeport profile {model} --input {folder.test_input} {chip}",
        f"spikeport chips {recipe.chip}",
    ]
