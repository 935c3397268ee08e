"""Commands that run or train a recipe: demo, examples, run, train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spikeport.console.output import Output
from spikeport.gates import NO_GATES, Gates

from .exit_codes import EXIT_NO
from .option_groups import GateOptions, OutputOption, grouped
from .options import OutOption, OverwriteOption, RecipeArgument, RecipeDeviceOption, ResumeOption, device_of


@grouped
def demo(streams: OutputOption, out: OutOption = None) -> None:
    """Run the digits recipe from training to the report.

    Example: spikeport demo
    """
    from spikeport.run.shipped import find_recipe

    _run(find_recipe("digits"), out, overwrite=False, resume=False, streams=streams)


@grouped
def examples(
    streams: OutputOption,
    out: Annotated[Path, typer.Option("--out", help="Folder to write.", metavar="DIR")] = Path("examples"),
) -> None:
    """Write a small trained network, input for it and a notebook into a folder.

    Example: spikeport examples
    """
    from spikeport.console.output import say
    from spikeport.run.shipped import write_examples

    written = write_examples(out)
    say(streams.console, "\n".join(f"{path}: written" for path in written) or f"{out}: all files exist already")
    streams.write_json({"written": [str(path) for path in written]})


@grouped
def run(
    recipe: RecipeArgument,
    streams: OutputOption,
    bounds: GateOptions,
    out: OutOption = None,
    overwrite: OverwriteOption = False,
    resume: ResumeOption = False,
    device: RecipeDeviceOption = None,
) -> None:
    """Train, export, compile, simulate, profile, compare and report.

    Example: spikeport run digits --out runs/digits
    """
    _run(recipe, out, overwrite, resume, streams, bounds, device_of(device))


@grouped
def train(
    recipe: RecipeArgument,
    out: Annotated[Path, typer.Option("--out", help="Folder to write.", metavar="DIR")],
    streams: OutputOption,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    device: RecipeDeviceOption = None,
) -> None:
    """Train a recipe's network and its ANN twin into a folder.

    Example: spikeport train digits --out runs/mine
    """
    from spikeport.run.claim import new_folder

    from . import commands

    commands.train(recipe, new_folder(out, "", overwrite), resume, streams, overwrite, device_of(device))


def _run(
    recipe: Path, out: Path | None, overwrite: bool, resume: bool, streams: Output, bounds: Gates = NO_GATES,
    device: str | None = None,
) -> None:  # fmt: skip
    from spikeport.gates import kept, of_summary
    from spikeport.run.claim import new_folder
    from spikeport.run.recipe import load_recipe
    from spikeport.run.whole_run import run_recipe
    from spikeport.summary import read_summary
    from spikeport.trainer.tasks.registry import objective_of

    loaded = load_recipe(recipe, device)
    bounds.check_metric(objective_of(loaded.training).metric.name)
    folder = new_folder(out, loaded.name, overwrite, resume)
    summary = run_recipe(recipe, folder, resume, streams.console, overwrite, device)
    streams.write_json(summary)
    if bounds.given and not kept(bounds, of_summary(read_summary(folder.summary)), streams.console):
        raise typer.Exit(EXIT_NO)
