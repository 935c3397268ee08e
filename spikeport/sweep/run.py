"""A sweep: what is missing is trained and measured by worker processes, then put into tables and a picture.

DIR/trained/KEY=VALUE/   a network for every combination of the keys that change the training
DIR/points/              a file for every point that is done: a sweep that was ended goes on, one that grows keeps them
DIR/sweep.json, sweep.csv, pareto.svg
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import joblib

from spikeport.common.errors import InputError
from spikeport.common.files import write_text
from spikeport.common.locks import locked_folder
from spikeport.console.output import Done
from spikeport.lava_runtime.workers import run_until_done, worker_pool
from spikeport.run.claim import holds_training
from spikeport.run.recipe import checked_recipe, read_recipe
from spikeport.run.run_folder import RunFolder

from .grid import Grid
from .pareto import front, pareto_picture
from .point import Job, measure, train


@dataclass(frozen=True)
class Sweep:
    """What a sweep found: a row a point, in the order of the grid; front: those that no other beats in both."""

    recipe: str
    grid: Grid
    rows: list[dict[str, Any]]
    front: list[int]

    def parts(self) -> dict[str, Any]:
        """Everything in plain values."""
        axes = {key: list(values) for key, values in self.grid.axes.items()}
        return {
            "recipe": self.recipe, "over": axes, "retrained": self.grid.retrained, "points": self.rows,
            "pareto": self.front,
        }  # fmt: skip

    def table(self) -> str:
        """The points as CSV, the keys first."""
        keys = list(self.grid.axes)
        columns = list(dict.fromkeys(name for row in self.rows for name in row if name != "values"))
        file = io.StringIO()
        writer = csv.DictWriter(file, [*keys, *columns, "pareto"], lineterminator="\n")
        writer.writeheader()
        for number, row in enumerate(self.rows):
            writer.writerow({**{k: v for k, v in row.items() if k != "values"}, **row["values"],
                             "pareto": number in self.front})  # fmt: skip
        return file.getvalue()


def run_sweep(
    recipe: Path, grid: Grid, folder: Path, workers: int = 1, cluster: str | None = None, progress: Done | None = None
) -> Sweep:
    """Train and measure what is not there yet; raises InputError for a key's value that the recipe cannot have.

    cluster: address of a dask scheduler, whose workers see the folder and the data set as this process does.
    """
    content = read_recipe(recipe)
    name = checked_recipe(content, recipe).name
    jobs = [Job(point, content, str(recipe), folder.resolve()) for point in grid.points]
    # says what is wrong with a value before anything is written
    files = [job.file for job in jobs]
    with locked_folder(folder):
        _begin(folder, recipe)
        _run(jobs, files, workers, cluster, progress)
        rows = [json.loads(file.read_text(encoding="utf-8")) for file in files]
        found = Sweep(name, grid, rows, front(rows))
        write_text(folder / "sweep.json", json.dumps(found.parts(), indent=2) + "\n")
        write_text(folder / "sweep.csv", found.table())
        write_text(folder / "pareto.svg", str(pareto_picture(found.recipe, rows, found.front)) + "\n")
    return found


def _run(jobs: list[Job], files: list[Path], workers: int, cluster: str | None, progress: Done | None) -> None:
    """Train and measure the points whose files are not there."""
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

    with worker_pool(workers, cluster) as parallel:
        for missing, work in ((untrained, train), (unmeasured, measure)):
            run_until_done(missing, partial(_all, parallel, work, advance), str)


def _begin(folder: Path, recipe: Path) -> None:
    """Keep the recipe in the folder; raises InputError if it holds a run or another recipe's sweep."""
    held = holds_training(folder)
    if held is not None:
        raise InputError(f"{folder}: holds a run ({held.name}); choose another --out")
    kept = RunFolder(folder).recipe
    if kept.is_file() and kept.read_bytes() != recipe.read_bytes():
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
