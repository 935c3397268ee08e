"""A sweep over the compile options of a model that was not trained here: every point is compiled and run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from spikeport.common.errors import InputError, nearest
from spikeport.common.locks import locked_folder
from spikeport.console.output import Done
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.program.chip_program import InputArrays
from spikeport.lava_runtime.partition.optimise import Goal
from spikeport.network.network import compile_network
from spikeport.run.claim import holds_training
from spikeport.run.model_run import run_model
from spikeport.summary import Summary
from spikeport.summary.base import spread

from .grid import Grid, Values
from .pareto import front
from .run import Sweep, write_sweep

KEYS = ("chip", "weight_bits", "precision", "sums", "reset", "discretize", "dt")


@dataclass(frozen=True)
class ModelPoints:
    """A model file and what it is run on; chip: None where the grid names chips; labels: None to count same answers.

    optimise: what mappings are chosen for, see `check --optimise`.
    """

    model: Path
    chip: str | None
    options: CompileOptions
    x: InputArrays
    labels: NDArray[Any] | None
    data_name: str
    task: str | None = None
    optimise: Goal | None = None


def model_grid(axes: Sequence[str]) -> Grid:
    """The grid of KEY=VALUE,VALUE over compile options; raises InputError, naming the nearest key."""
    return Grid.parse(axes, _check)


def _check(key: str) -> None:
    if key not in KEYS:
        raise InputError(
            f"--over {key}: is not a compile option of a model{nearest(key, KEYS)}; known keys are {', '.join(KEYS)}"
        )


def sweep_model(points: ModelPoints, grid: Grid, folder: Path, progress: Done | None = None) -> Sweep:
    """Compile and run every point; writes sweep.json, sweep.csv and pareto.svg. Raises InputError.

    A point that cannot be compiled has the reason instead of figures.
    """
    if points.chip is None and "chip" not in grid.axes:
        raise InputError(f"{points.model}: is compiled at every point; name a chip with --chip, or chips with --over")
    values = [{**point.trained, **point.compiled} for point in grid.points]
    with locked_folder(folder):
        trace = holds_training(folder)
        if trace is not None:
            raise InputError(f"{folder}: holds a run ({trace.name}); choose another --out")
        rows = []
        for number, named in enumerate(values):
            rows.append(_row(points, named))
            if progress is not None:
                progress(number + 1, len(values))
        sweep = Sweep(points.model.name, grid, rows, front(rows))
        write_sweep(sweep, folder)
    return sweep


def _row(points: ModelPoints, named: Values) -> dict[str, Any]:
    try:
        chip = str(named.get("chip", points.chip))
        changed: Any = {key: value for key, value in named.items() if key != "chip"}
        network = compile_network(points.model, chip, replace(points.options, **changed))
        summary = run_model(
            network, points.x, points.labels, (), points.data_name, task_name=points.task, optimise=points.optimise
        ).summary
    except InputError as error:
        return {"values": named, "error": str(error)}
    return {"values": named, **_figures(summary)}


def _figures(summary: Summary) -> dict[str, Any]:
    cost, mapping = summary.per_inference, summary.mapping
    assert cost is not None
    assert mapping is not None
    # without labels, the answers of the float network are the right ones
    accuracy = summary.agreement if summary.accuracy.fixed is None else summary.accuracy.fixed
    return {
        "accuracy": accuracy,
        **spread("energy", "j", cost.energy),
        **spread("latency", "s", cost.latency),
        "energy_delay_js": cost.energy_j * cost.latency_s,
        "spikes": cost.spikes,
        "synops": cost.synops,
        "cores": mapping.cores,
        "chips": mapping.chips,
        "fits": mapping.fits,
        "test_samples": summary.test_samples,
    }
