"""The command line. Every command loads what it needs when it is called, so that --help stays quick."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from hardware_profiles.errors import BackendError, InputError, nearest, reason

from .options import (
    BackendName,
    CalibrateOption,
    ChipOption,
    ClusterOption,
    DiscretizeName,
    DiscretizeOption,
    DtOption,
    FromOption,
    InputOption,
    JsonOption,
    ModelArgument,
    OptionalChip,
    OutOption,
    OverwriteOption,
    PrecisionName,
    PrecisionOption,
    RecipeArgument,
    RecordName,
    ResetName,
    ResetOption,
    ResumeOption,
    WeightBitsOption,
    WorkersOption,
)

app = typer.Typer(
    help="Take a spiking network from training to a neuromorphic chip.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    rich_markup_mode="rich",
)

NO, WRONG, INTERRUPTED = 1, 2, 130


@app.callback()
def _global(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version and end.", is_eager=True)] = False,
) -> None:
    if version:
        from spikeport import __version__

        typer.echo(__version__)
        raise typer.Exit
    context.obj = {"debug": debug}


@app.command()
def demo(out: OutOption = None) -> None:
    """Run the digits recipe, the whole way from training to the report.

    Example: spikeport demo
    """
    recipe = Path(__file__).resolve().parent.parent / "recipes" / "digits.toml"
    if not recipe.is_file():
        raise InputError(f"{recipe}: the demo's recipe is not installed; run `spikeport run RECIPE.toml` with your own")
    _run(recipe, out, overwrite=False, resume=False)


@app.command()
def run(
    recipe: RecipeArgument, out: OutOption = None, overwrite: OverwriteOption = False, resume: ResumeOption = False
) -> None:
    """Train, export, compile, simulate, profile, compare and report.

    Example: spikeport run recipes/digits.toml --out runs/digits
    """
    _run(recipe, out, overwrite, resume)


@app.command()
def train(
    recipe: RecipeArgument,
    out: Annotated[Path, typer.Option("--out", help="Folder to write.", metavar="DIR")],
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Train a recipe's network and its ANN twin into a folder.

    Example: spikeport train recipes/digits.toml --out runs/mine
    """
    from spikeport import commands
    from spikeport.folder import new_folder

    commands.train(recipe, new_folder(out, "", overwrite), resume, _console())


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="A folder that `train` or `run` wrote.", metavar="DIR")],
    output: Annotated[Path, typer.Option("-o", help="The file to write: .nir or .onnx.", metavar="MODEL.nir|.onnx")],
) -> None:
    """Export the trained network as NIR, or its ANN twin as ONNX.

    Example: spikeport export runs/digits -o digits.nir
    """
    from spikeport import commands

    commands.export(folder, output, _console())


def _list_passes(wanted: bool) -> None:
    if wanted:
        from exporter.flow import listed

        for name, sentence in listed().items():
            typer.echo(f"{name:22s}{sentence}")
        raise typer.Exit


@app.command("compile")
def compile_(
    model: Annotated[Path, typer.Argument(help="The network, a .nir or .net file.", metavar="MODEL")],
    chip: ChipOption,
    output: Annotated[Path, typer.Option("-o", help="The program to write.", metavar="MODEL.chip")],
    dt: DtOption = None,
    weight_bits: WeightBitsOption = None,
    framework: FromOption = None,
    discretize: DiscretizeOption = None,
    reset: ResetOption = None,
    precision: PrecisionOption = PrecisionName.normal,
    calibrate: CalibrateOption = None,
    dump: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--dump", help="Write the network after each pass there.", metavar="DIR"),
    ] = None,
    passes: Annotated[  # noqa: ARG001 - read by its callback
        bool, typer.Option("--passes", help="List the passes and end.", is_eager=True, callback=_list_passes)
    ] = False,
) -> None:
    """Compile a network to a chip's integers.

    Example: spikeport compile digits.nir --chip loihi2 -o digits.chip
    """
    from spikeport import commands

    choices = _choices(dt, weight_bits, framework, discretize, reset, precision, calibrate)
    commands.compile_model(model, chip, choices, dump, output, _console())


@app.command()
def check(
    model: ModelArgument,
    chip: ChipOption,
    dt: DtOption = None,
    weight_bits: WeightBitsOption = None,
    framework: FromOption = None,
    discretize: DiscretizeOption = None,
    reset: ResetOption = None,
    precision: PrecisionOption = PrecisionName.normal,
    calibrate: CalibrateOption = None,
) -> None:
    """Say what fits the chip and what does not, layer by layer; exit 1 if it does not fit.

    Example: spikeport check digits.nir --chip loihi2
    """
    from spikeport import commands

    choices = _choices(dt, weight_bits, framework, discretize, reset, precision, calibrate)
    if not commands.check(model, chip, choices, _console()):
        raise typer.Exit(NO)


@app.command()
def simulate(
    model: ModelArgument,
    x: InputOption,
    output: Annotated[Path, typer.Option("-o", help="The arrays to write.", metavar="OUT.npz")],
    backend: Annotated[BackendName, typer.Option("--backend", help="What runs it.")] = BackendName.emulator,
    chip: OptionalChip = None,
    steps: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--steps", help="Time steps of the chip, default as many as the input has.", metavar="T"),
    ] = None,
    record: Annotated[RecordName, typer.Option("--record", help="What to keep.")] = RecordName.spikes,
    dt: DtOption = None,
    weight_bits: WeightBitsOption = None,
    framework: FromOption = None,
    discretize: DiscretizeOption = None,
    reset: ResetOption = None,
    precision: PrecisionOption = PrecisionName.normal,
    calibrate: CalibrateOption = None,
    time_limit: Annotated[
        float, typer.Option("--time-limit", help="Seconds after which a Lava run is stopped.", metavar="SECONDS")
    ] = 600.0,
    workers: WorkersOption = None,
    cluster: ClusterOption = None,
) -> None:
    """Run a network on spikes from a file.

    Example: spikeport simulate digits.chip --input x.npy --backend lava --record all -o out.npz
    """
    from spikeport import commands

    choices = _choices(dt, weight_bits, framework, discretize, reset, precision, calibrate)
    commands.simulate_file(
        model, x, output, backend.value, chip, steps, record.value, choices, time_limit, workers, cluster, _console()
    )  # fmt: skip


@app.command()
def diff(
    model: Annotated[Path, typer.Argument(help="The network, a .nir file.", metavar="MODEL.nir")],
    x: InputOption,
    chip: OptionalChip = None,
    dt: DtOption = None,
    weight_bits: WeightBitsOption = None,
    framework: FromOption = None,
    discretize: DiscretizeOption = None,
    reset: ResetOption = None,
    precision: PrecisionOption = PrecisionName.normal,
    calibrate: CalibrateOption = None,
    json_file: JsonOption = None,
    picture: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--picture", help="Draw it there, too.", metavar="F.svg"),
    ] = None,
) -> None:
    """Hold float against fixed point, layer by layer, and say which rounding is to blame; exit 1 if spikes differ.

    Example: spikeport diff digits.nir --input x.npy --chip loihi2 --picture diff.svg
    """
    from spikeport import commands

    choices = _choices(dt, weight_bits, framework, discretize, reset, precision, calibrate)
    if not commands.diff_file(model, x, chip, choices, json_file, picture, _console()):
        raise typer.Exit(NO)


@app.command()
def profile(
    model: ModelArgument,
    x: InputOption,
    chip: ChipOption,
    json_file: JsonOption = None,
    dt: DtOption = None,
    weight_bits: WeightBitsOption = None,
    framework: FromOption = None,
    discretize: DiscretizeOption = None,
    reset: ResetOption = None,
    precision: PrecisionOption = PrecisionName.normal,
    calibrate: CalibrateOption = None,
    costs: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--costs", help="Price the same events on these, too, by comma.", metavar="A,B"),
    ] = None,
) -> None:
    """Count spikes and synaptic operations and estimate energy and latency of one inference.

    Example: spikeport profile digits.chip --input x.npy --chip loihi2 --json profile.json
    """
    from spikeport import commands

    choices = _choices(dt, weight_bits, framework, discretize, reset, precision, calibrate)
    commands.profile_file(model, x, chip, json_file, choices, costs, _console())


@app.command()
def compare(
    folder: Annotated[Path, typer.Argument(help="A finished run's folder.", metavar="DIR")],
    devices: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--devices", help="Devices for the ANN, by comma.", metavar="A,B"),
    ] = None,
) -> None:
    """Put the network on the chip beside its ANN twin on conventional devices.

    Example: spikeport compare runs/digits --devices server_cpu,jetson_tx1
    """
    from spikeport import commands

    commands.compare(folder, devices, _console())


@app.command()
def chips(
    name: Annotated[Optional[str], typer.Argument(help="A chip or device.", metavar="NAME")] = None,  # noqa: UP045
    validate: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--validate", help="Check a profile of your own.", metavar="FILE"),
    ] = None,
) -> None:
    """List the profiles, or every constant of one with its source.

    Example: spikeport chips loihi2
    """
    from spikeport import commands

    if validate is not None:
        commands.validate_profile(validate, _console())
        return
    commands.chips(name, _console())


def main() -> None:
    """Run the command line; an error is one sentence on standard error and exit code 2."""
    debug = "--debug" in sys.argv[1:]
    warnings.showwarning = _warn
    try:
        status = app(standalone_mode=False) or 0
        if status == INTERRUPTED:  # typer's own way to pass on Ctrl-C
            raise KeyboardInterrupt
        sys.exit(status)
    except (InputError, BackendError) as error:
        _fail(str(error), error, debug, WRONG)
    except KeyboardInterrupt as error:
        _fail("interrupted; what was written is whole, train and run go on with --resume", error, debug, INTERRUPTED)
    except Exception as error:
        usage = _usage_message(error)
        if usage is not None:
            _fail(usage, error, debug, WRONG)
        _fail(f"unexpected {type(error).__name__}: {reason(error)}; --debug shows where", error, debug, WRONG)


def _run(recipe: Path, out: Path | None, overwrite: bool, resume: bool) -> None:
    from spikeport.folder import new_folder
    from spikeport.recipe import load_recipe
    from spikeport.run import run_recipe

    name = load_recipe(recipe).name
    run_recipe(recipe, new_folder(out, name, overwrite), resume, _console())


def _choices(
    dt: float | None,
    weight_bits: int | None,
    framework: str | None,
    discretize: DiscretizeName | None,
    reset: ResetName | None,
    precision: PrecisionName,
    calibrate: Path | None,
) -> Any:
    from spikeport.models import Choices

    decay: Any = None if discretize is None else discretize.value
    after: Any = None if reset is None else reset.value
    return Choices(dt, weight_bits, framework, decay, after, precision.value, calibrate)


def _console() -> Any:
    from rich.console import Console

    return Console()


def _warn(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """A warning is one sentence on standard error, too; those of libraries to their developers are left out."""
    if not issubclass(category, (DeprecationWarning, FutureWarning)):
        sys.stderr.write(f"warning: {message}\n")


def _usage_message(error: Exception) -> str | None:
    """Typer's own message for a wrong call, with the nearest option, or None for any other error."""
    message = getattr(error, "format_message", None)
    if message is None:
        return None
    text = str(message()).rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "spikeport"
    wrong = getattr(error, "option_name", None)
    hint = ""
    if wrong and context is not None and "did you mean" not in text.lower():
        hint = nearest(wrong, [o for p in context.command.params for o in p.opts])
    return f"{text}{hint}; see `{command} --help`"


def _fail(message: str, error: BaseException, debug: bool, status: int) -> None:
    if debug:
        raise error
    sys.stderr.write(f"error: {message}\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
