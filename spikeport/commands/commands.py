"""Implementation of the commands: each reads files and writes files or a table on the terminal."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.table import Table

from spikeport import gates
from spikeport.common.errors import DoesNotFitError, InputError
from spikeport.common.locks import locked_file, locked_folder
from spikeport.console.output import Done, Output, progress, say
from spikeport.console.tables import show_table
from spikeport.console.visible import new_console
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.program.chip_program import InputArrays
from spikeport.hardware_profiles.loader import available, load_costs, load_profile
from spikeport.hardware_profiles.schema import Quantity, constants
from spikeport.lava_runtime.inputs import steps_and_samples
from spikeport.lava_runtime.nir_data import ENDINGS
from spikeport.lava_runtime.partition.optimise import Goal
from spikeport.lava_runtime.workers import simulate_to_file
from spikeport.network.choices import given
from spikeport.network.graph_loader import check_comparable, dump_passes, open_for_net
from spikeport.network.input_files import open_spikes
from spikeport.network.network import Network, compile_network, open_network
from spikeport.report.day import check_per_hour
from spikeport.report.units import quantity
from spikeport.results.comparison_table import comparison_dicts, print_comparison
from spikeport.results.day import print_day
from spikeport.results.difference import check_picture
from spikeport.results.simulation import run_sentence, show_missing, simulation_dict
from spikeport.run.run_folder import RunFolder
from spikeport.summary import read_summary

from .model_data import ModelData, names
from .report_files import ReportFiles


def train(
    recipe_path: Path,
    folder: RunFolder,
    resume: bool,
    streams: Output,
    overwrite: bool = False,
    device: str | None = None,
) -> None:
    """Train the network and its twin into a folder; with several processes (torchrun) the first one writes.

    device: in place of the recipe's.
    """
    from spikeport.run import stages
    from spikeport.run.claim import claimed, joined
    from spikeport.run.recipe import load_recipe
    from spikeport.trainer.loop.parallel import this_process

    recipe = load_recipe(recipe_path, device)
    first = this_process().first
    with claimed(folder, resume, overwrite) if first else nullcontext(joined(folder, overwrite)) as target:
        data = stages.dataset_of(recipe)
        on_start = partial(target.begin, recipe_path) if first else None
        method = stages.begin_and_train(recipe, target, data, resume, on_start)
        stages.train_twin(recipe, target, data, progress=True)
    if not first:
        return
    metric = method.objective.metric
    value = metric.measure(method.predict(data.x_test), data.y_test)
    say(streams.console, f"{folder.network}: {metric.name} {value:.4f} on {len(data.y_test)} test samples")
    written = {"network": str(folder.network), "twin": str(folder.twin)}
    streams.write_json({"written": written, metric.name: value, "test_samples": len(data.y_test)})


def export(source: Path, output: Path, chip: str | None, options: CompileOptions, streams: Output) -> None:
    """Export a run's network as NIR or .net or its ANN twin as ONNX, or a model file as .net, by the ending."""
    folder = RunFolder(source)
    model_only = ([] if chip is None else ["--chip"]) + given(options)
    if output.suffix not in (".net", ".json") and model_only:
        raise InputError(f"{output}: only .net and .json files take {', '.join(model_only)}; leave that out")
    if output.suffix == ".net":
        _export_net(source, output, chip, options, streams)
    elif output.suffix == ".json":
        _export_specification(source, output, chip, options)
    elif source.is_file():
        raise InputError(
            f"{output}: a model file can only be exported as .net, or as .json for a Xylo chip; give -o such a file, "
            "or give a run's folder"
        )
    elif output.suffix == ".nir":
        from spikeport.exporter.from_torch import network_to_nir
        from spikeport.exporter.nir_graph.nir_file import write_nir
        from spikeport.trainer.methods.registry import load_trained

        write_nir(network_to_nir(load_trained(folder.network).spiking_network), output)
    elif output.suffix == ".onnx":
        from spikeport.exporter.onnx.ann_model import export_onnx
        from spikeport.trainer.ann import AnnTwin

        twin = AnnTwin.load(folder.twin)
        export_onnx(twin.twin_layers(), twin.network.input_shape, output)
    else:
        ending = output.suffix or "no ending"
        raise InputError(
            f"{output}: {ending} cannot be written; give -o a file that ends in .nir, .net, .onnx or .json"
        )
    say(streams.console, f"{output}: written")
    streams.write_json({"written": str(output)})


def _export_net(source: Path, output: Path, chip: str | None, options: CompileOptions, streams: Output) -> None:
    from spikeport.exporter.netx.to_net import write_net

    program = open_for_net(source, chip, options)
    write_net(program, output, str(source))
    for name, report in program.quantisation.items():
        say(
            streams.console, f"{name}: weight error rms {report.weight_error_rms:.2%}, threshold {report.vth_error:.2%}"
        )


def _export_specification(source: Path, output: Path, chip: str | None, options: CompileOptions) -> None:
    """Write a Xylo network as the arguments of Rockpool's config_from_specification."""
    from spikeport.exporter.xylo.specification_file import write_specification

    model = source
    if source.is_dir():
        model = RunFolder(source).chip if chip is None else RunFolder(source).nir
    write_specification(open_network(model, chip, options).program, output)


def compile_model(
    model: Path, chip: str, options: CompileOptions, dump: Path | None, output: Path, streams: Output
) -> None:
    """Compile a .nir or .net file and report the rounding errors of every layer."""
    if dump is not None:
        with locked_folder(dump, "--dump"):
            dump_passes(model, options, dump)
    with locked_file(output):
        network = compile_network(model, chip, options)
        network.save(output)
    network.show(streams.console)
    say(streams.console, f"{output}: written")
    streams.write_json({**network.to_dict(), "written": str(output)})


def check(
    model: Path,
    chip: str,
    options: CompileOptions,
    by_hand: Path | None,
    dump: Path | None,
    goal: Goal | None,
    x: Path | None,
    streams: Output,
) -> bool:
    """Whether a network fits a chip, with a table of core use.

    by_hand, dump: files with the mapping; goal: what the mapping is chosen for, with the spikes of x.
    """
    try:
        network = open_network(model, chip, options)
    except DoesNotFitError as error:
        for sentence in error.all_sentences:
            say(streams.console, f"does not fit: {sentence}")
        reasons = list(error.all_sentences)
        streams.write_json({"network": model.name, "chip": chip, "fits": False, "reasons": reasons})
        return False
    fit = network.check(chip, by_hand, optimise=goal, x=x)
    if dump is not None:
        fit.write(dump)
    fit.show(streams.console)
    streams.write_json(fit.to_dict())
    return fit.fits


@dataclass(frozen=True)
class HowToRun:
    """Simulation settings of the command line; steps: of the chip or of recordings, None: until every answer is out."""

    backend: Any
    steps: int | None
    record: Any
    time_limit: float
    workers: int | None = None
    cluster: str | None = None
    device: str = "cpu"


def simulate_file(
    model: Path, x: Path, output: Path, chip: str | None, options: CompileOptions, how: HowToRun, streams: Output
) -> None:
    """Run a model on spikes from a file into OUT.npz, at once or in chunks by worker processes."""
    if how.workers is not None and how.cluster is not None:
        raise InputError("--workers and --cluster: give either --workers or --cluster, which has workers of its own")
    if how.device == "cuda" and (how.workers is not None or how.cluster is not None):
        raise InputError("--device cuda: computes in this process; leave out --workers and --cluster")
    network = open_network(model, chip, options)
    values, steps = open_spikes(x, network.program, how.steps)
    how = replace(how, steps=steps)
    with progress(f"{how.backend}: {steps_and_samples(values)[1]} samples", streams.console) as done:
        if how.workers is None and how.cluster is None:
            with locked_file(output):
                simulation = network.simulate(
                    values, backend=how.backend, steps=how.steps, record=how.record, limit_seconds=how.time_limit,
                    progress=done, where=str(x), device=how.device,
                )  # fmt: skip
                simulation.save(output)
            run = simulation.to_dict()
        else:
            values, _ = network.read_input(values, str(x))
            run = _simulate_in_chunks(network, values, x, output, how, done)
    sentence = run_sentence(run["samples"], steps_and_samples(values)[0], run["steps"], run["output_spikes"])
    say(streams.console, f"{output}: {sentence}")
    show_missing(run["missing_steps"], run["steps"], streams.console)
    streams.write_json({**run, "written": str(output)})


def _simulate_in_chunks(
    network: Network, values: InputArrays, x: Path, output: Path, how: HowToRun, done: Done
) -> dict[str, Any]:
    if output.suffix in ENDINGS:
        raise InputError(f"{output}: --workers and --cluster write .npz; name such a file with -o, or leave them out")
    program = network.program
    written = simulate_to_file(
        program, values, output, how.backend, how.steps, how.record, how.time_limit, done, str(x), how.workers or 1,
        how.cluster,
    )  # fmt: skip
    missing = max(0, steps_and_samples(values)[0] + program.pipeline_steps - written.steps)
    return simulation_dict(how.backend, written.samples, written.steps, missing, written.output_spikes, written.means)


def diff_file(
    model: Path,
    x: Path,
    chip: str | None,
    options: CompileOptions,
    picture: Path | None,
    tolerance: float,
    bounds: gates.Gates,
    streams: Output,
    task: str | None = None,
) -> bool:
    """Whether float and fixed point agree, with a table, and a picture if requested.

    tolerance: share of the places (sample, step, neuron) in which a layer may differ; bounds: on equal answers.
    """
    check_comparable(model, chip)
    if picture is not None:
        check_picture(picture)
    network = open_network(model, chip, options)
    with progress("float and fixed point", streams.console) as done:
        difference = network.diff(x, task=task, progress=done)
    if picture is not None:
        difference.draw(picture)
    difference.show(streams.console)
    streams.write_json(difference.to_dict())
    agree = gates.kept(bounds, gates.Measured(agreement=difference.same_winner), streams.console)
    # with a bound on the answers alone, other spikes may differ
    if bounds.given and tolerance == 0:
        return agree
    return agree and float(difference.differing.max(initial=0)) <= tolerance


def profile_file(
    model: Path,
    x: Path,
    chip: str,
    options: CompileOptions,
    costs: str | None,
    run: Path | None,
    trace: Path | None,
    by_hand: Path | None,
    goal: Goal | None,
    bounds: gates.Gates,
    streams: Output,
) -> bool:
    """Profile a recorded run, or one in the emulator; returns whether the bounds are kept.

    costs: profiles that also price the events, comma-separated; by_hand: a file with the neurons of each core; goal:
    what the mapping is optimised for.
    """
    profiles = names(costs or "")
    for name in profiles:
        load_costs(name)  # refused before anything runs
    network = open_network(model, chip, options)
    with progress("emulator", streams.console) as done:
        report = network.profile(x, run=run, costs=profiles, by_hand=by_hand, optimise=goal, progress=done)
    report.show(streams.console)
    if not report.profile.timeline.recorded:
        say(streams.console, "steps are not resolved: record the run with --record layers, or omit --run")
    if trace is not None:
        report.save_trace(trace)
        say(streams.console, f"{trace}: written; open it in ui.perfetto.dev")
    streams.write_json(report.to_dict())
    return gates.kept(bounds, gates.Measured(report.energy_j.typical, report.latency_s.typical), streams.console)


def sweep(
    recipe: Path,
    over: list[str],
    folder: Path,
    workers: int | None,
    cluster: str | None,
    streams: Output,
    device: str | None = None,
) -> None:
    """Run a recipe over a grid of its keys; prints a table, writes sweep.json, sweep.csv and pareto.svg.

    device: in place of the recipe's.
    """
    from spikeport.sweep import Grid, run_sweep
    from spikeport.sweep.result import show_sweep

    if workers is not None and cluster is not None:
        raise InputError("--workers and --cluster: give either --workers or --cluster, which has workers of its own")
    grid = Grid.parse(over)
    trained = "trained for each value: " + (", ".join(grid.retrained) or "nothing, all points share one training")
    say(streams.console, f"{len(grid.points)} point{'s' if len(grid.points) > 1 else ''}; {trained}")
    with progress("sweep", streams.console) as done:
        points = run_sweep(recipe, grid, folder, workers or 1, cluster, done, device)
    show_sweep(points, streams.console)
    say(streams.console, f"{folder}: sweep.json, sweep.csv and pareto.svg written")
    streams.write_json(points.to_dict())


def compare(
    source: Path,
    chips: str | None,
    options: CompileOptions,
    data: ModelData,
    bounds: gates.Gates,
    streams: Output,
    per_hour: float | None = None,
) -> bool:
    """Compare a finished run's network, or a model, with an ANN; returns whether the bounds are kept.

    per_hour: also the energy of a day at so many inferences an hour.
    """
    if per_hour is not None:
        check_per_hour(per_hour)
    if source.is_file():
        from .model_report import compare_models

        return compare_models(source, names(chips or ""), options, data, bounds, streams, per_hour)
    data.refuse_for_a_run(source)
    if chips is not None:
        raise InputError(f"--chips: {source} is a run, compiled for one chip; give its model.nir and --input")
    folder = RunFolder(source)
    summary = read_summary(folder.summary)
    if data.devices is not None:
        from spikeport.run import stages
        from spikeport.summary.build import ann_of
        from spikeport.trainer.ann import AnnTwin

        twin = AnnTwin.load(folder.twin)
        sizes = stages.twin_sizes(twin.twin_layers(), twin.network.input_shape)
        summary = summary.model_copy(update={"ann": ann_of(stages.compare_devices(sizes, names(data.devices)))})
    print_comparison(summary, streams.console)
    values = summary.to_dict()
    shown = {name: values[name] for name in ("chip", "accuracy", "per_inference", "workload", "ann")}
    streams.write_json({**shown, "rows": comparison_dicts(summary), **print_day(summary, per_hour, streams.console)})
    return gates.kept(bounds, gates.of_summary(summary), streams.console)


def report(
    source: Path,
    other: Path | None,
    files: ReportFiles,
    chip: str | None,
    options: CompileOptions,
    data: ModelData,
    bounds: gates.Gates,
    streams: Output,
) -> bool:
    """Write a page on a run, on two runs side by side, or on a model; returns whether the bounds are kept."""
    from spikeport.report import print_pair, read_pair, write_pair, write_report

    files.check()
    if source.is_file():
        from .model_report import report_model

        if other is not None:
            raise InputError(f"{other}: two runs are compared side by side, but {source} is a model; leave it out")
        return report_model(source, chip, options, data, files, bounds, streams)
    data.refuse_for_a_run(source)
    if other is None:
        page = write_report(source, files.page)
        say(streams.console, f"Report: {page}")
        files.write_more(page.read_text(encoding="utf-8"), streams.console)
        streams.write_json({"report": str(page)})
        return gates.kept(bounds, gates.of_summary(read_summary(RunFolder(source).summary)), streams.console)
    pair = read_pair(source, other)
    page = write_pair(pair, files.page or source / f"beside-{other.resolve().name}.html")
    print_pair(pair, streams.console)
    say(streams.console, f"Report: {page}")
    files.write_more(page.read_text(encoding="utf-8"), streams.console)
    streams.write_json({"report": str(page), **pair.to_dict()})
    return gates.kept(bounds, gates.of_summary(pair.second), streams.console)


def chips(name: str | None, streams: Output) -> None:
    """Print all profiles, or every constant of one profile with its source."""
    if name is None:
        profiles = [load_profile(known) for known in available()]
        table = Table("name", "what it is", "kind")
        for profile in profiles:
            table.add_row(profile.name, profile.title, profile.kind)
        show_table(table, streams.console, prose=(0, 1))
        streams.write_json({"profiles": [{"name": p.name, "title": p.title, "kind": p.kind} for p in profiles]})
        return
    profile = load_profile(name)
    # piped or captured output must not truncate a source
    console = streams.console
    wide = console if console.is_terminal else new_console(stderr=console.stderr, width=400)
    wide.print(f"[bold]{profile.title}[/bold]", highlight=False)
    wide.print(profile.summary, highlight=False)
    table = Table("constant", "value", "range", "kind", "source", "date")
    for key, number in constants(profile):
        table.add_row(key, quantity(number.value, number.unit), _range(number), number.kind, number.source, number.date)
    show_table(table, wide, prose=(0, 1))
    streams.write_json(_profile_dict(profile))


def validate_profile(path: Path, streams: Output) -> None:
    """Check a profile file and summarise it; raises InputError if it is invalid."""
    if path.suffix != ".toml":
        raise InputError(f"{path}: a profile is a TOML file, and its name ends in .toml")
    profile = load_profile(path)
    numbers = constants(profile)
    estimated = sum(number.kind == "estimated" for _, number in numbers)
    say(
        streams.console,
        f"{path}: {profile.title}, a {profile.kind} profile of {len(numbers)} numbers, {estimated} of them estimated, "
        "each with source, kind and date.",
    )
    streams.write_json(_profile_dict(profile))


def _profile_dict(profile: Any) -> dict[str, Any]:
    about = {"name": profile.name, "title": profile.title, "kind": profile.kind, "summary": profile.summary}
    return {**about, "constants": {key: number.model_dump() for key, number in constants(profile)}}


def _range(number: Quantity) -> str:
    if number.low is None and number.high is None:
        return ""
    low, _, high = number.bounds
    return f"{quantity(low, number.unit)} to {quantity(high, number.unit)}"
