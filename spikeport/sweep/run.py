"""A sweep: worker processes train and measure missing points; writes tables and a plot.

DIR/trained/KEY=VALUE/   a network for every combination of the keys that change the training
DIR/points/              a file for every finished point; an interrupted or extended sweep reuses them
DIR/sweep.json, sweep.csv, pareto.svg
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import joblib

from spikeport.common.errors import InputError, reason
from spikeport.common.files import write_text
from spikeport.common.json_text import json_text
from spikeport.common.locks import locked_folder
from spikeport.common.text_files import read_json_file
from spikeport.console.output import Done
from spikeport.lava_runtime.workers import run_until_done, worker_pool
from spikeport.run.claim import holds_training
from spikeport.run.recipe import checked_recipe, on_device, read_recipe
from spikeport.run.run_folder import RunFolder
from spikeport.trainer.tasks.registry import objective_of

from .grid import Grid
from .pareto import front, pareto_picture
from .point import Job, measure, train
from .scored import check_one_metric

# fields of a point that are tables themselves
_TABLES = ("values", "metric")


@dataclass(frozen=True)
class Sweep:
    """Results of a sweep: one row per point, in grid order; front: indices of the Pareto front."""

    recipe: str
    grid: Grid
    rows: list[dict[str, Any]]
    front: list[int]

    def to_dict(self) -> dict[str, Any]:
        """Everything in plain values."""
        axes = {key: list(values) for key, values in self.grid.axes.items()}
        return {
            "recipe": self.recipe, "over": axes, "retrained": self.grid.retrained, "points": self.rows,
            "pareto": self.front,
        }  # fmt: skip

    def table(self) -> str:
        """The points as CSV, the keys first."""
        keys = list(self.grid.axes)
        columns = list(dict.fromkeys(name for row in self.rows for name in row if name not in _TABLES))
        file = io.StringIO()
        writer = csv.DictWriter(file, [*keys, *columns, "pareto"], lineterminator="\n")
        writer.writeheader()
        for number, row in enumerate(self.rows):
            writer.writerow({**{k: v for k, v in row.items() if k not in _TABLES}, **row["values"],
                             "pareto": number in self.front})  # fmt: skip
        return file.getvalue()


def run_sweep(
    recipe: Path, grid: Grid, folder: Path, workers: int = 1, cluster: str | None = None, progress: Done | None = None,
    device: str | None = None,
) -> Sweep:  # fmt: skip
    """Train and measure missing points; raises InputError for an invalid value of a key.

    cluster: address of a dask scheduler, whose workers can access the folder and the data set. device: in place of the
    recipe's; points that were measured on another one are measured again.
    """
    content = on_device(read_recipe(recipe), device)
    name = checked_recipe(content, recipe).name
    jobs = [Job(point, content, str(recipe), folder.resolve()) for point in grid.points]
    # raises for an invalid value before anything is written
    files = [job.file for job in jobs]
    check_one_metric(objective_of(job.recipe.training).metric.name for job in jobs)
    with locked_folder(folder):
        _claim(folder, recipe)
        _run(jobs, files, workers, cluster, progress)
        rows = [_stored_point(file) for file in files]
        sweep = Sweep(name, grid, rows, front(rows))
        write_sweep(sweep, folder)
    return sweep


def write_sweep(sweep: Sweep, folder: Path) -> None:
    """Write sweep.json, sweep.csv and pareto.svg."""
    write_text(folder / "sweep.json", json_text(sweep.to_dict(), indent=2) + "\n")
    write_text(folder / "sweep.csv", sweep.table())
    write_text(folder / "pareto.svg", str(pareto_picture(sweep.recipe, sweep.rows, sweep.front)) + "\n")


def _stored_point(file: Path) -> dict[str, Any]:
    try:
        row = read_json_file(file)
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: is not a whole point of a sweep ({reason(error)}); remove it") from error
    if not isinstance(row, dict) or not isinstance(row.get("values"), dict):
        raise InputError(f"{file}: is not a point of a sweep; remove it")
    return row


def _run(jobs: list[Job], files: list[Path], workers: int, cluster: str | None, progress: Done | None) -> None:
    """Train and measure the points without a file."""
    networks = list({job.trained.path: job for job in jobs}.values())

    def untrained() -> list[Job]:
        needed = {job.trained.path for job in unmeasured()}
        return [job for job in networks if job.trained.path in needed and not job.is_trained]

    def unmeasured() -> list[Job]:
        return [job for job, file in zip(jobs, files, strict=True) if not file.is_file()]

    total = len(untrained()) + len(jobs)

    def advance() -> None:
        if progress is not None:
            progress(total - len(untrained()) - len(unmeasured()), total)

    with worker_pool(workers, cluster, len(jobs)) as parallel:
        for missing, work in ((untrained, train), (unmeasured, measure)):
            run_until_done(missing, partial(_all, parallel, work, advance), str)


def _claim(folder: Path, recipe: Path) -> None:
    """Store the recipe in the folder; raises InputError if it holds a run or another recipe's sweep."""
    trace = holds_training(folder)
    if trace is not None:
        raise InputError(f"{folder}: holds a run ({trace.name}); choose another --out")
    stored = RunFolder(folder).recipe
    if stored.is_file() and stored.read_bytes() != recipe.read_bytes():
        raise InputError(
            f"{folder}: holds a sweep of another recipe, or of this one before it changed; choose another --out"
        )
    RunFolder(folder).begin(recipe)


def _all(
    parallel: joblib.Parallel, work: Callable[[Job], None], advance: Callable[[], None], jobs: Iterable[Job]
) -> None:
    advance()
    for _ in parallel(joblib.delayed(work)(job) for job in jobs):
        advance()
