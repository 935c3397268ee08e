"""All training methods on the same data, from training to the chip: accuracy in float and fixed point, steps, spikes.

    python benchmarks/methods.py [--only WORD ...] [--runs runs/methods] [--seeds 3] [--show] [--out docs/methods.md]
    python benchmarks/methods.py --widths | --step-time [--rounds 11] | --only WORD --choose KEY=VALUE,VALUE

Each row is the recipe `recipes/DATASET_METHOD.toml`, run as `spikeport run` does: trained, exported, compiled, run on
the emulator. Its run folder, RUNS/DATASET_METHOD_SEED, is kept, and a finished row is not run again. The digits are run
with that many seeds (each with its own split, the same for all methods), the others with seed 0. --only selects the
rows whose folder's name begins with one of these words, --show runs nothing. Rows whose data are not on this machine
(SPIKEPORT_DATA) are left out. --out updates the page: the rows of which every seed is available; the others stay as
they are; and its figure, if all runs are available.

Also RUNS/mnist10k_dense_METHOD_SEED_Tsteps: one dense network with few and with many time steps, with that many seeds.
--widths also trains the digits in floating point and for weights of 4 bits (RUNS/digits_METHOD_SEED_Nbits); --step-time
measures a training step in floating point and in the chip's integers. --choose is for settings of a recipe: it trains
each value on four fifths of the training set and prints the accuracy on the held-out fifth; the test set is not read.
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

from methods_chip import (
    WIDTH_HEADINGS,
    WIDTHS,
    Width,
    held_out_share,
    recipe_of,
    step_table,
    train_width,
    width,
    width_table,
    width_wanted,
)
from methods_page import (
    DATASETS,
    HEADINGS,
    METHODS,
    SHORT,
    Row,
    recipe_path,
    run_wanted,
    share,
    spread,
    tables,
    wanted,
    write_page,
)
from rich.console import Console

from benchmarks import page
from spikeport.common.errors import InputError
from spikeport.common.files import write_text
from spikeport.run.recipe import load_recipe
from spikeport.run.run_folder import RunFolder
from spikeport.run.whole_run import run_recipe
from spikeport.summary import read_summary

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ROOT / "recipes"


@dataclass(frozen=True)
class Job:
    """One run: a recipe, its seed, and its time steps and bits per weight where these differ from the recipe."""

    dataset: str
    method: str
    seed: int = 0
    steps: int | None = None
    bits: int | None = None

    @property
    def name(self) -> str:
        """The run folder's name."""
        notes = [f"_{value}{unit}" for value, unit in ((self.steps, "steps"), (self.bits, "bits")) if value is not None]
        return f"{self.dataset}_{self.method}_{self.seed}" + "".join(notes)

    @property
    def recipe(self) -> Path:
        """The recipe; BPTT on digits is the demo's."""
        return RECIPES / recipe_path(self.dataset, self.method).name


def jobs(seeds: int) -> list[Job]:
    """All runs, in the order of the tables; without a recipe for a data set a method has no run."""
    plain = [
        Job(dataset, method, seed)
        for dataset in DATASETS
        for method in METHODS
        for seed in range(seeds if dataset == "digits" else 1)
    ]
    short = [
        Job("mnist10k_dense", method, seed, steps)
        for method, few in SHORT.items()
        for seed in range(seeds)
        for steps in few
    ]
    return [job for job in (*plain, *short) if job.recipe.exists()]


def changed(text: str, **values: int | str) -> str:
    """A recipe's text with other values of keys that occur in it once, or new ones at its top."""
    for key, value in values.items():
        line = f"{key} = {value}"
        text, found = re.subn(rf"^{key} = .*$", line, text, flags=re.MULTILINE)
        text = text if found else f"{line}\n{text}"
    return text


def run(job: Job, folder: RunFolder, console: Console) -> None:
    """Run it, in the emulator and in Lava's processes for a whole batch; stock Lava's would take hours."""
    values = {"steps": job.steps, "chip_aware": job.bits}
    wanted = {key: value for key, value in values.items() if value is not None}
    folder.path.mkdir(parents=True, exist_ok=True)
    text = changed(job.recipe.read_text(encoding="utf-8"), seed=job.seed, backends='["lava"]', **wanted)
    write_text(folder.recipe, text)
    if job.bits is not None:
        train_width(folder)
        return
    # from the start, so that the seconds are those of the whole training
    run_recipe(folder.recipe, folder, False, console, overwrite=True)


def width_jobs(seeds: int) -> list[Job]:
    """The digits with other weights than 8 bits, method by method."""
    others = [bits for bits in WIDTHS if bits != 8]
    return [Job("digits", m, seed, bits=bits) for m in METHODS for seed in range(seeds) for bits in others]


def widths(seeds: int, runs: Path) -> list[Width]:
    """The methods for which all of them, and the rows, are trained."""
    found: list[Width] = []
    for method in METHODS:
        pairs = [(seed, bits) for seed in range(seeds) for bits in WIDTHS]
        jobs_of = [Job("digits", method, seed, bits=None if bits == 8 else bits) for seed, bits in pairs]
        trained = [
            width(method, seed, bits, RunFolder(runs / job.name))
            for job, (seed, bits) in zip(jobs_of, pairs, strict=True)
        ]
        found += [one for one in trained if one is not None] if None not in trained else []
    return found


def choose(key: str, values: list[str], chosen: list[Job], console: Console) -> None:
    """Print the accuracy on held-out training samples for each value of a recipe's key, over the seeds."""
    for name, recipe in sorted({(f"{job.dataset}_{job.method}", job.recipe) for job in chosen}):
        seeds = sorted({job.seed for job in chosen if job.recipe == recipe})
        for value in values:
            text = recipe.read_text(encoding="utf-8")
            made = [recipe_of(changed(text, seed=seed, **{key: value}), recipe) for seed in seeds]
            found = [held_out_share(one) for one in made]
            console.print(f"{name}, {key} = {value}: {spread(found, share)}", highlight=False)


def rows(all_jobs: list[Job], runs: Path) -> list[Row]:
    """The finished runs: the rows of which every seed is finished."""
    folders = {job: RunFolder(runs / job.name) for job in all_jobs}
    unfinished = {(job.dataset, job.method, job.steps) for job, folder in folders.items() if not folder.finished}
    return [
        Row(job.dataset, job.method, job.seed, load_recipe(folder.recipe), read_summary(folder.summary).to_dict())
        for job, folder in folders.items()
        if (job.dataset, job.method, job.steps) not in unfinished
    ]


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[""], metavar="WORD")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "methods")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--widths", action="store_true")
    parser.add_argument("--step-time", action="store_true")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--choose", metavar="KEY=VALUE,VALUE")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    console = Console()
    all_jobs = jobs(arguments.seeds)
    if arguments.choose:
        key, _, values = arguments.choose.partition("=")
        chosen = [job for job in all_jobs if job.name.startswith(tuple(arguments.only))]
        choose(key, values.split(","), chosen, console)
        return
    steps = step_table(arguments.rounds) if arguments.step_time else None
    for job in width_jobs(arguments.seeds) if arguments.widths else [] if arguments.step_time else all_jobs:
        folder = RunFolder(arguments.runs / job.name)
        done = folder.finished if job.bits is None else folder.network.exists()
        if arguments.show or done or not job.name.startswith(tuple(arguments.only)):
            continue
        console.rule(job.name)
        try:
            run(job, folder, console)
        except InputError as error:
            console.print(f"{job.name}: {error}", highlight=False)
    found = rows(all_jobs, arguments.runs)
    parts = lines_by_mark(found, widths(arguments.seeds, arguments.runs), page_text(arguments.out))
    parts |= {} if steps is None else {"step time": steps}
    for mark, lines in parts.items():
        print(f"\n{mark}", *lines, sep="\n")
    if arguments.out:
        write_page(arguments.out, found, parts)


def page_text(path: Path | None) -> str:
    """The page to update."""
    return "" if path is None else path.read_text(encoding="utf-8")


def lines_by_mark(found: list[Row], narrow: list[Width], text: str = "") -> dict[str, list[str]]:
    """The runs' results by the page's marks; the page's present lines stay where runs are missing."""
    by_mark = tables(found, text)
    by_width = width_table(narrow, page.standing_table(text, "widths"))
    said = [*wanted(by_mark, run_wanted(found, text)), width_wanted(by_width)]
    written = {mark: page.table(HEADINGS, lines) for mark, lines in by_mark.items()}
    return written | {"widths": page.table(WIDTH_HEADINGS, by_width), "wanted": said}


if __name__ == "__main__":
    main()
