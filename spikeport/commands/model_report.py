"""Implementation of `report` and `compare` for a model that was not trained here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport import gates
from spikeport.common.errors import InputError
from spikeport.common.files import write_text
from spikeport.common.limits import LARGEST_LAYER
from spikeport.console.output import Output, progress, say
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.program.chip_program import InputArrays
from spikeport.lava_runtime.inputs import load_labels
from spikeport.network.graph_loader import MODEL_ENDINGS
from spikeport.network.input_files import open_spikes
from spikeport.network.model_files import check_model_file, check_onnx_file
from spikeport.network.model_task import model_task
from spikeport.network.network import Network, open_network
from spikeport.report import print_summary
from spikeport.report.page import render
from spikeport.results.comparison_table import comparison_dicts, print_comparison
from spikeport.results.day import print_day
from spikeport.results.model_table import print_models
from spikeport.run.measures import DEFAULT_DEVICES
from spikeport.run.model_run import ModelRun, Teacher, run_model
from spikeport.summary import Summary
from spikeport.trainer.tasks.metrics import ACCURACY

from .model_data import ModelData, names
from .report_files import ReportFiles


def report_model(
    model: Path, chip: str | None, options: CompileOptions, data: ModelData, files: ReportFiles, bounds: gates.Gates,
    streams: Output,
) -> bool:  # fmt: skip
    """Write a page on a model; returns whether the bounds are kept."""
    page = files.page or Path(f"{model.stem}.html")
    run = _run(model, chip, options, data, streams)
    text = render(run.summary, run.raster)
    write_text(page, text)
    print_summary(run.summary, streams.console)
    say(streams.console, f"Report: {page}")
    files.write_more(text, streams.console)
    streams.write_json({**run.summary.to_dict(), "report": str(page)})
    return gates.kept(bounds, gates.of_summary(run.summary), streams.console)


def compare_models(
    model: Path, chips: Sequence[str], options: CompileOptions, data: ModelData, bounds: gates.Gates, streams: Output,
    per_hour: float | None = None,
) -> bool:  # fmt: skip
    """Compare a model on several chips and an ANN on devices; returns whether every chip keeps the bounds."""
    summaries = [_run(model, chip, options, data, streams).summary for chip in chips or (None,)]
    if len(summaries) == 1:
        print_comparison(summaries[0], streams.console)
    else:
        print_models(summaries, streams.console)
    days = [print_day(summary, per_hour, streams.console) for summary in summaries]
    shown = [{**_dict(summary), **day} for summary, day in zip(summaries, days, strict=True)]
    streams.write_json({"model": str(model), "chips": shown})
    several = len(summaries) > 1
    kept = [gates.kept(bounds, gates.of_summary(s), streams.console, s.chip if several else "") for s in summaries]
    return all(kept)


def sweep_models(
    model: Path, over: Sequence[str], chip: str | None, options: CompileOptions, data: ModelData, folder: Path,
    streams: Output,
) -> None:  # fmt: skip
    """Compile and run a model over a grid of compile options; prints a table, writes as a recipe's sweep."""
    from spikeport.sweep.model_sweep import ModelPoints, model_grid, sweep_model
    from spikeport.sweep.result import show_sweep

    grid = model_grid(over)
    x = _input_file(model, data)
    _, values, labels = _opened(model, chip or str(grid.axes.get("chip", ("loihi2",))[0]), options, x, data)
    with progress(f"{model}: sweep", streams.console) as done:
        one = ModelPoints(model, chip, options, values, labels, x.name, data.task, data.optimise)
        points = sweep_model(one, grid, folder, done)
    show_sweep(points, streams.console)
    if labels is None:
        say(
            streams.console,
            "accuracy: the share of samples with the float network's answer; --labels gives the right ones",
        )
    say(streams.console, f"{folder}: sweep.json, sweep.csv and pareto.svg written")
    streams.write_json(points.to_dict())


def _opened(
    model: Path, chip: str | None, options: CompileOptions, x: Path, data: ModelData
) -> tuple[Network, InputArrays, NDArray[Any] | None]:
    """A model, what it is run on, and the labels if there are any; raises InputError."""
    network = open_network(model, chip, options)
    values, _ = open_spikes(x, network.program)
    if data.labels is None:
        return network, values, None
    of_classes = model_task(data.task, network.program).metric is ACCURACY and data.task != "per_step"
    return network, values, _labels(data.labels) if of_classes else load_labels(data.labels)


def _input_file(model: Path, data: ModelData) -> Path:
    """The file that a model is run on; raises InputError, of a file that is no model first."""
    check_model_file(model, MODEL_ENDINGS)
    if data.x is None:
        raise InputError(f"{model}: is a model; give what it is run on with --input X.npy")
    return data.x


def _dict(summary: Summary) -> dict[str, object]:
    values = summary.to_dict()
    shown = {name: values[name] for name in ("chip", "accuracy", "agreement", "per_inference", "mapping", "workload")}
    return {**shown, "rows": comparison_dicts(summary)}


def _run(model: Path, chip: str | None, options: CompileOptions, data: ModelData, streams: Output) -> ModelRun:
    x = _input_file(model, data)
    if data.teacher is not None:
        check_onnx_file(data.teacher)
    network, values, labels = _opened(model, chip, options, x, data)
    teacher = None if data.teacher is None else Teacher(data.teacher, data.teacher_accuracy)
    with progress(f"{network.program.chip}: {model.name}", streams.console) as done:
        devices = DEFAULT_DEVICES if data.devices is None else names(data.devices)
        return run_model(network, values, labels, devices, x.name, teacher, done, data.task, data.optimise)


def _labels(path: Path) -> NDArray[np.int64]:
    labels = load_labels(path)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise InputError(
            f"{path}: labels are whole numbers, one per sample, not {labels.dtype} of shape {labels.shape}"
        )
    if labels.size and not 0 <= labels.min() <= labels.max() < LARGEST_LAYER:
        raise InputError(f"{path}: holds labels {labels.min()} to {labels.max()}; classes are numbered from 0")
    return labels.astype(np.int64)
