"""Commands on finished runs and on the installation: sweep, compare, report, chips, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from spikeport.common.errors import InputError

from . import completion
from .exit_codes import EXIT_NO
from .option_groups import CompileOptions, GateOptions, ModelDataOptions, OutputOption, grouped
from .options import ClusterOption, OptionalChip, RecipeArgument, RecipeDeviceOption, WorkersOption, device_of


@grouped
def sweep(
    recipe: RecipeArgument,
    over: Annotated[
        list[str],
        typer.Option(
            "--over", help="A key and its values; chip, weight_bits and precision share a training.", metavar="KEY=A,B"
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to write; finished points in it are kept.", metavar="DIR")],
    streams: OutputOption,
    choices: CompileOptions,
    data: ModelDataOptions,
    more: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(help="More keys and their values.", metavar="[KEY=A,B]...", show_default=False),
    ] = None,
    workers: WorkersOption = None,
    cluster: ClusterOption = None,
    chip: OptionalChip = None,
    device: RecipeDeviceOption = None,
) -> None:
    """Measure accuracy, energy, latency and cores of a recipe or a model over a grid, with the Pareto front.

    The grid is over a recipe's keys, or over the compile options of a .nir model with --input.

    Example: spikeport sweep digits --over weight_bits=4,6,8 chip=loihi1,loihi2 --out sweeps/digits
    """
    from . import commands

    if recipe.suffix == ".nir":
        from .model_report import sweep_models

        if device is not None:
            raise InputError("--device: is for recipes, whose networks are trained; leave it out with a model")
        sweep_models(recipe, [*over, *(more or [])], chip, choices, data, out, streams)
        return
    data.refuse_for_a_recipe(recipe)
    commands.sweep(recipe, [*over, *(more or [])], out, workers, cluster, streams, device_of(device))


@grouped
def compare(
    folder: Annotated[Path, typer.Argument(help="A finished run's folder, or a model.", metavar="DIR|MODEL")],
    streams: OutputOption,
    bounds: GateOptions,
    choices: CompileOptions,
    data: ModelDataOptions,
    chips: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--chips",
            help="Chips for a model (comma-separated).",
            metavar="A,B",
            autocompletion=completion.costs,
        ),
    ] = None,
    per_hour: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option("--per-hour", help="Also the energy of a day at N inferences an hour.", metavar="N"),
    ] = None,
) -> None:
    """Compare a network on the chip, or on several, with its ANN on conventional devices.

    A model is compared on --input, on one or several --chips.

    Example: spikeport compare runs/digits --devices server_cpu,gap9
    """
    from . import commands

    if not commands.compare(folder, chips, choices, data, bounds, streams, per_hour):
        raise typer.Exit(EXIT_NO)


@grouped
def report(
    folder: Annotated[Path, typer.Argument(help="A finished run's folder, or a model.", metavar="DIR|MODEL")],
    streams: OutputOption,
    bounds: GateOptions,
    choices: CompileOptions,
    data: ModelDataOptions,
    other: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Argument(help="Another run, to compare with it.", metavar="OTHER"),
    ] = None,
    chip: OptionalChip = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("-o", help="The page to write, default in DIR, or MODEL.html.", metavar="F.html"),
    ] = None,
    table: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--table", help="Also write every table, as LaTeX or CSV.", metavar="F.tex|.csv"),
    ] = None,
    kit: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--kit", help="Folder for every table (.csv, .tex) and picture (.svg).", metavar="DIR"),
    ] = None,
) -> None:
    """Rebuild a run's report.html, compare two runs side by side, or report on a model of your own.

    A model is reported on --input, with --labels for its accuracy.

    Example: spikeport report runs/digits runs/digits_cnn -o both.html
    """
    from . import commands
    from .report_files import ReportFiles

    if not commands.report(folder, other, ReportFiles(output, table, kit), chip, choices, data, bounds, streams):
        raise typer.Exit(EXIT_NO)


@grouped
def chips(
    streams: OutputOption,
    name: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(help="A chip or device.", metavar="NAME", autocompletion=completion.profiles),
    ] = None,
    validate: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--validate", help="Check a profile of your own.", metavar="FILE"),
    ] = None,
) -> None:
    """List the profiles, or every constant of one profile with its source.

    Example: spikeport chips loihi2
    """
    from . import profile_files

    if validate is not None:
        profile_files.validate_profile(validate, streams)
        return
    profile_files.chips(name, streams)


@grouped
def doctor(streams: OutputOption) -> None:
    """Check the installation and show a fix for whatever does not work. Exits with 1 if something is broken.

    Example: spikeport doctor
    """
    from spikeport.doctor_checks import run_checks

    result = run_checks()
    result.show(streams.console)
    streams.write_json(result.to_dict())
    if not result.healthy:
        raise typer.Exit(EXIT_NO)
