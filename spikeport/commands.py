"""What the commands do, each from files to files or to a table on the terminal."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from exporter.mapping import map_program
from exporter.program import ChipProgram
from exporter.program_file import save_program
from hardware_profiles.errors import InputError
from hardware_profiles.files import write_text
from hardware_profiles.loader import available, load_chip, load_costs, load_profile
from hardware_profiles.schema import ChipCosts, Quantity, constants
from lava_runtime.cost_model.energy import dynamic_energy, static_power
from lava_runtime.cost_model.events import Events
from lava_runtime.costs import Range
from lava_runtime.diff import diff
from lava_runtime.input_files import open_input
from lava_runtime.inputs import extent
from lava_runtime.nir_data import ENDINGS, write_result
from lava_runtime.profile import profile_run
from lava_runtime.simulate import simulate
from lava_runtime.workers import simulate_to_file

from . import stages, summary
from .comparison import print_comparison
from .difference import difference_parts, print_difference
from .folder import RunFolder
from .models import Choices, dump_passes, open_both, open_model
from .recipe import load_recipe
from .report.difference_picture import difference_picture
from .report.units import estimate, quantity, si


def train(recipe_path: Path, folder: RunFolder, resume: bool, console: Console) -> None:
    """Train the network and its twin into a folder."""
    recipe = load_recipe(recipe_path)
    folder.begin(recipe_path)
    data = stages.dataset_of(recipe)
    method = stages.train_network(recipe, folder, data, resume, progress=True)
    stages.train_twin(recipe, folder, data, progress=True)
    accuracy = float(np.mean(method.predict(data.x_test) == data.y_test))
    _say(console, f"{folder.network}: accuracy {accuracy:.4f} on {len(data.y_test)} test samples")


def export(folder_path: Path, output: Path, console: Console) -> None:
    """Export network.pt as NIR or ann.pt as ONNX, by the file's ending."""
    from exporter.from_torch import network_to_nir
    from exporter.nir_file import write_nir
    from exporter.onnx_model import export_onnx
    from trainer.ann import AnnTwin
    from trainer.methods import load_trained

    folder = RunFolder(folder_path)
    if output.suffix == ".nir":
        trained = load_trained(folder.network)
        write_nir(network_to_nir(trained.spiking_network), output)
    elif output.suffix == ".onnx":
        twin = AnnTwin.load(folder.twin)
        export_onnx(twin.twin_layers(), twin.network.input_shape, output)
    else:
        ending = output.suffix or "no ending"
        raise InputError(f"{output}: {ending} cannot be written; give -o a file that ends in .nir or .onnx")
    _say(console, f"{output}: written")


def compile_model(model: Path, chip: str, choices: Choices, dump: Path | None, output: Path, console: Console) -> None:
    """Compile a .nir or .net file and say what rounding did to every layer."""
    if model.suffix not in (".nir", ".net"):
        ending = model.suffix or "files without an ending"
        raise InputError(f"{model}: {ending} cannot be compiled; give a .nir or .net file")
    if dump is not None:
        dump_passes(model, choices, dump)
    program = open_model(model, chip, choices)
    save_program(program, output)
    table = Table("layer", "neurons", "weight error rms", "largest", "du", "dv", "vth", "u reaches at most")
    for name, report in program.quantisation.items():
        errors = (report.weight_error_rms, report.weight_error_max, report.du_error, report.dv_error, report.vth_error)
        table.add_row(
            name, str(program.population(name).size), *(f"{e:.2%}" for e in errors), f"{report.current_bound:.0%}"
        )
    console.print(table)
    for name, report in program.quantisation.items():
        for note in report.notes:
            _say(console, f"{name}: {note}")
    _say(console, f"{output}: written; answers run {program.pipeline_steps} steps behind the input")


def check(model: Path, chip: str, choices: Choices, console: Console) -> bool:
    """Whether a network fits a chip, with a table of what fills the cores."""
    profile = load_chip(chip)
    program = open_model(model, chip, choices)
    mapping = map_program(program, profile)
    limits = list(mapping.layers[0].fill)
    table = Table("layer", "neurons", "cores", "neurons a core", *limits, title=f"{model.name} on {profile.title}")
    for layer in mapping.layers:
        size = program.population(layer.name).size
        shares = [f"{layer.fill[name]:.0%}" for name in limits]
        table.add_row(layer.name, str(size), str(layer.cores), str(layer.neurons_per_core), *shares)
    console.print(table)
    for sentence in mapping.reasons():
        _say(console, sentence)
    verdict = "fits" if mapping.fits else "does not fit"
    _say(console, f"{verdict}: {mapping.cores} of {mapping.cores_per_chip} cores")
    return mapping.fits


def simulate_file(
    model: Path,
    x: Path,
    output: Path,
    backend: Any,
    chip: str | None,
    steps: int | None,
    record: Any,
    choices: Choices,
    time_limit: float,
    workers: int | None,
    cluster: str | None,
    console: Console,
) -> None:
    """Run a model on spikes from a file into OUT.npz, at once or in chunks by worker processes."""
    if workers is not None and cluster is not None:
        raise InputError("--workers and --cluster: give either --workers or --cluster, which has workers of its own")
    program = open_model(model, chip, choices)
    values = open_input(x, program)
    if workers is None and cluster is None:
        with console.status(f"{backend}: {extent(values)[1]} samples"):
            result = simulate(program, values, backend, steps, record, time_limit, where=str(x))
        if output.suffix in ENDINGS:
            write_result(result, program.dt, output)
        else:
            result.save(output)
        samples, length, spikes = result.batch, result.steps, int(result.counts()[program.outputs[0]].sum())
    else:
        if not isinstance(values, np.ndarray) or output.suffix in ENDINGS:
            raise InputError("--workers and --cluster take one input and write .npz; leave them out here")
        with Progress(console=console, transient=True) as bar:
            task = bar.add_task(f"{backend}: samples")
            written = simulate_to_file(
                program, values, output, backend, steps, record, time_limit,
                lambda done, total: bar.update(task, completed=done, total=total), str(x), workers or 1, cluster,
            )  # fmt: skip
        samples, length, spikes = written.samples, written.steps, written.output_spikes
    _say(console, f"{output}: {samples} samples, {length} steps, {spikes} output spikes")
    missing = extent(values)[0] + program.pipeline_steps - length
    if missing > 0:
        _say(
            console,
            f"answers to the input's last {missing} steps are still on their way; "
            f"--steps {length + missing} shows them",
        )


def diff_file(
    model: Path,
    x: Path,
    chip: str | None,
    choices: Choices,
    json_file: Path | None,
    picture: Path | None,
    console: Console,
) -> bool:
    """Whether float and fixed point spike alike, with a table, and JSON and a picture if asked for."""
    network, program = open_both(model, chip, choices)
    values = open_input(x, program)
    if picture is not None and picture.suffix != ".svg":
        raise InputError(f"{picture}: pictures are .svg files; give --picture a name that ends so")
    with console.status(f"float and fixed point: {extent(values)[1]} samples"):
        report = diff(network, program, values, str(x))
    if json_file is not None:
        write_text(json_file, json.dumps(difference_parts(report), indent=2) + "\n")
    if picture is not None:
        write_text(picture, str(difference_picture(report)) + "\n")
    print_difference(report, console)
    return report.equal


def profile_file(
    model: Path, x: Path, chip: str, json_file: Path | None, choices: Choices, costs: str | None, console: Console
) -> None:
    """Simulate in the emulator and profile the run; costs: chips whose constants price the same events, by comma."""
    others = [] if costs is None else [load_costs(name.strip()) for name in costs.split(",") if name.strip()]
    program = open_model(model, chip, choices)
    values = open_input(x, program)
    result = simulate(program, values, "emulator", extent(values)[0] + program.pipeline_steps, where=str(x))
    found = profile_run(program, result, load_chip(chip))
    parts = summary.profile_parts(program, found)
    if json_file is not None:
        write_text(json_file, json.dumps(parts, indent=2) + "\n")
    _print_profile(program, parts, found.samples, console)
    if others:
        _print_costs(found.events, others, console)


def compare(folder_path: Path, devices: str | None, console: Console) -> None:
    """The finished run's network on the chip beside its ANN twin."""
    from trainer.ann import AnnTwin

    folder = RunFolder(folder_path)
    found = folder.read_summary()
    if devices is not None:
        names = [name.strip() for name in devices.split(",") if name.strip()]
        twin = AnnTwin.load(folder.twin)
        sizes = stages.twin_sizes(twin.twin_layers(), twin.network.input_shape)
        found = {**found, "ann": summary.ann_parts(stages.compare_devices(sizes, names))}
    print_comparison(found, console)


def chips(name: str | None, console: Console) -> None:
    """All profiles, or every constant of one with its source."""
    if name is None:
        table = Table("name", "what it is", "kind")
        for known in available():
            profile = load_profile(known)
            table.add_row(profile.name, profile.title, profile.kind)
        console.print(table)
        return
    profile = load_profile(name)
    # piped or captured output must not cut a source short
    wide = console if console.is_terminal else Console(file=sys.stdout, width=400)
    wide.print(f"[bold]{profile.title}[/bold]", highlight=False)
    wide.print(profile.summary, highlight=False)
    table = Table("constant", "value", "range", "kind", "source", "date")
    for key, number in constants(profile):
        table.add_row(key, quantity(number.value, number.unit), _range(number), number.kind, number.source, number.date)
    wide.print(table)


def validate_profile(path: Path, console: Console) -> None:
    """Check a profile file and say what it holds; raises InputError if it is refused."""
    if path.suffix != ".toml":
        raise InputError(f"{path}: a profile is a TOML file, and its name ends in .toml")
    profile = load_profile(path)
    numbers = constants(profile)
    estimated = sum(number.kind == "estimated" for _, number in numbers)
    _say(
        console,
        f"{path}: {profile.title}, a {profile.kind} profile of {len(numbers)} numbers, {estimated} of them estimated, "
        "each with source, kind and date.",
    )


def _range(number: Quantity) -> str:
    if number.low is None and number.high is None:
        return ""
    low, _, high = number.bounds
    return f"{quantity(low, number.unit)} to {quantity(high, number.unit)}"


def _print_profile(program: ChipProgram, parts: dict[str, Any], samples: int, console: Console) -> None:
    table = Table("layer", "neurons", "spikes", "synops", "updates", "messages", "dynamic energy (estimate)")
    for layer in parts["layers"]:
        counts = [f"{layer[key]:,.1f}" for key in ("spikes", "synops", "neuron_updates", "messages")]
        table.add_row(layer["name"], str(layer["neurons"]), *counts, _spread(layer, "energy", "j", "J"))
    console.print(table)
    one = parts["per_inference"]
    _say(console, f"mean of {samples} samples on {program.chip}, {parts['mapping']['cores']} cores; estimates:")
    _say(console, f"  energy per inference {_spread(one, 'energy', 'j', 'J')}")
    dynamic, static = (si(one[key]["typical"], "J") for key in ("dynamic_j", "static_j"))
    _say(console, f"  of which dynamic {dynamic}, static {static}")
    _say(console, f"  latency {_spread(one, 'latency', 's', 's')} for {one['steps']} steps, input and output excluded")
    host, work = one["host_latency_s"]["typical"], parts["workload"]
    if host > 0:
        _say(console, f"  if the host feeds the spikes, about {si(host, 's')} more")
    _say(
        console,
        f"workload: activation sparsity {work['activation_sparsity']:.2%}, connection sparsity "
        f"{work['connection_sparsity']:.2%}, {work['effective_acs']:,.0f} effective of {work['dense_synops']:,.0f} "
        f"dense operations, power proxy {work['power_proxy'] / 1e6:.3g} M-Ops/s",
    )


def _print_costs(events: Events, chips: list[ChipCosts], console: Console) -> None:
    table = Table("the same events priced on", "dynamic energy (estimate)", "drawn at rest by a chip")
    for chip in chips:
        rest = static_power(chip, 1, 1)
        table.add_row(chip.title, estimate(dynamic_energy(events, chip.energy), "J"), estimate(rest, "W"))
    console.print(table)
    _say(console, "How the network would lie on these, and how long it would take there, is not in these figures.")


def _spread(values: dict[str, Any], name: str, suffix: str, unit: str) -> str:
    low, typical, high = (values[f"{name}{bound}_{suffix}"] for bound in ("_low", "", "_high"))
    return estimate(Range(low, typical, high), unit)


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)
