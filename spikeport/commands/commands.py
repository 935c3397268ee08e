"""Implementation of the commands: each reads files and writes files or a table on the terminal."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from pathlib import Path

from spikeport import gates
from spikeport.common.errors import DoesNotFitError, InputError
from spikeport.common.locks import locked_file, locked_folder
from spikeport.console.output import Output, progress, say
from spikeport.exporter.compile_options import CompileOptions
from spikeport.hardware_profiles.loader import load_costs
from spikeport.lava_runtime.partition.optimise import Goal
from spikeport.network.graph_loader import check_comparable, dump_passes
from spikeport.network.network import compile_network, open_network
from spikeport.report.day import check_per_hour
from spikeport.results.comparison_table import comparison_dicts, print_comparison
from spikeport.results.day import print_day
from spikeport.results.difference import check_picture
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
        stages.train_twin(recipe, target, data, resume, progress=True)
    if not first:
        return
    metric = method.objective.metric
    value = metric.measure(method.predict(data.x_test), data.y_test)
    say(streams.console, f"{folder.network}: {metric.name} {value:.4f} on {len(data.y_test)} test samples")
    written = {"network": str(folder.network), "twin": str(folder.twin)}
    streams.write_json({"written": written, metric.name: value, "test_samples": len(data.y_test)})


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
