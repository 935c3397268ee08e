"""All training methods on the same data, the whole way to the chip: accuracy in float and fixed point, steps, spikes.

    python benchmarks/methods.py [--only WORD ...] [--runs runs/methods] [--seeds 3] [--show] [--out docs/methods.md]

Each row is the recipe `recipes/DATASET_METHOD.toml`, run as `spikeport run` does: trained, exported, compiled, run on
the emulator. Its run folder, RUNS/DATASET_METHOD_SEED, is kept, and a row that is finished there is not run again. The
digits are run with that many seeds (each with its own split, the same for all methods), the others with seed 0. --only
takes the rows whose folder's name begins with one of these words, --show runs nothing. Data that are not on this
machine (SPIKEPORT_DATA) leave their rows out. --out brings the tables of the page and its picture up to date.

Beside that, RUNS/mnist10k_dense_METHOD_0_Tsteps: one dense network in few and in many time steps.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from methods_page import DATASETS, METHODS, SHORT, Row, print_rows, write_page
from rich.console import Console

from hardware_profiles.errors import InputError
from hardware_profiles.files import write_text
from spikeport.folder import RunFolder
from spikeport.recipe import load_recipe
from spikeport.run import run_recipe

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ROOT / "recipes"


@dataclass(frozen=True)
class Job:
    """One run: a recipe, its seed, and its number of time steps where that is not the recipe's."""

    dataset: str
    method: str
    seed: int = 0
    steps: int | None = None

    @property
    def name(self) -> str:
        """The run folder's name."""
        return f"{self.dataset}_{self.method}_{self.seed}" + ("" if self.steps is None else f"_{self.steps}steps")

    @property
    def recipe(self) -> Path:
        """The recipe; BPTT on digits is the demo's."""
        plain = (self.dataset, self.method) == ("digits", "bptt")
        return RECIPES / ("digits.toml" if plain else f"{self.dataset}_{self.method}.toml")


def jobs(seeds: int) -> list[Job]:
    """All runs, in the order of the tables; a data set that a method has no recipe for has no run."""
    plain = [
        Job(dataset, method, seed)
        for dataset in DATASETS
        for method in METHODS
        for seed in range(seeds if dataset == "digits" else 1)
    ]
    short = [Job("mnist10k_dense", method, 0, steps) for method, few in SHORT.items() for steps in few]
    return [job for job in (*plain, *short) if job.recipe.exists()]


def changed(text: str, **values: int | str) -> str:
    """A recipe's text with other values of keys that stand in it once, or new ones at its top."""
    for key, value in values.items():
        line = f"{key} = {value}"
        text, found = re.subn(rf"^{key} = .*$", line, text, flags=re.MULTILINE)
        text = text if found else f"{line}\n{text}"
    return text


def run(job: Job, folder: RunFolder, console: Console) -> None:
    """Run it; beside the emulator, Lava runs the digits, of the others it would take hours."""
    values = {} if job.steps is None else {"steps": job.steps}
    backends = '["lava"]' if job.dataset == "digits" else "[]"
    folder.path.mkdir(parents=True, exist_ok=True)
    write_text(
        folder.recipe, changed(job.recipe.read_text(encoding="utf-8"), seed=job.seed, backends=backends, **values)
    )
    # from the start, so that the seconds are those of the whole training
    run_recipe(folder.recipe, folder, False, console)


def rows(all_jobs: list[Job], runs: Path) -> list[Row]:
    """What is finished."""
    found = []
    for job in all_jobs:
        folder = RunFolder(runs / job.name)
        if folder.finished:
            recipe, summary = load_recipe(folder.recipe), folder.read_summary()
            found.append(Row(job.dataset, job.method, job.seed, recipe, summary))
    return found


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[""], metavar="WORD")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "methods")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    console = Console()
    all_jobs = jobs(arguments.seeds)
    for job in all_jobs:
        folder = RunFolder(arguments.runs / job.name)
        if arguments.show or folder.finished or not job.name.startswith(tuple(arguments.only)):
            continue
        console.rule(job.name)
        try:
            run(job, folder, console)
        except InputError as error:
            console.print(f"{job.name}: {error}", highlight=False)
    found = rows(all_jobs, arguments.runs)
    print_rows(found)
    if arguments.out:
        write_page(arguments.out, found)


if __name__ == "__main__":
    main()
