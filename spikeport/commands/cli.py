"""The command line. Every command loads what it needs when it is called, so that --help stays quick."""

from __future__ import annotations

import re
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from spikeport.common.errors import BackendError, InputError, nearest, reason
from spikeport.console.bare_json import with_bare_json
from spikeport.console.output import Output

from .option_groups import CompileOptions, OutputOption, grouped
from .options import (
    BackendName,
    ChipOption,
    ClusterOption,
    InputOption,
    MapOption,
    ModelArgument,
    OptionalChip,
    OutOption,
    OverwriteOption,
    RecipeArgument,
    RecordName,
    ResumeOption,
    WayName,
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
# modules that the light installation leaves out
_EXTRAS = {
    "torch": "train",
    "safetensors": "train",
    "sklearn": "train",
    "onnx": "train",
    "onnxruntime": "train",
    "torchvision": "data",
    "tonic": "data",
    "distributed": "cluster",
}


def _show_version(wanted: bool) -> None:
    if wanted:
        from spikeport import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _global(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[  # noqa: ARG001 - read by its callback
        bool, typer.Option("--version", help="Show the version and end.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    context.obj = {"debug": debug}


@app.command()
@grouped
def demo(said: OutputOption, out: OutOption = None) -> None:
    """Run the digits recipe, the whole way from training to the report.

    Example: spikeport demo
    """
    from spikeport.run.shipped import find_recipe

    _run(find_recipe("digits"), out, overwrite=False, resume=False, said=said)


@app.command()
@grouped
def examples(
    said: OutputOption,
    out: Annotated[Path, typer.Option("--out", help="Folder to write.", metavar="DIR")] = Path("examples"),
) -> None:
    """Write a small trained network, input for it and a notebook into a folder.

    Example: spikeport examples
    """
    from spikeport.console.output import say
    from spikeport.run.shipped import write_examples

    written = write_examples(out)
    say(said.console, "\n".join(f"{path}: written" for path in written) or f"{out}: all files are there already")
    said.figures({"written": [str(path) for path in written]})


@app.command()
@grouped
def run(
    recipe: RecipeArgument,
    said: OutputOption,
    out: OutOption = None,
    overwrite: OverwriteOption = False,
    resume: ResumeOption = False,
) -> None:
    """Train, export, compile, simulate, profile, compare and report.

    Example: spikeport run digits --out runs/digits
    """
    _run(recipe, out, overwrite, resume, said)


@app.command()
@grouped
def train(
    recipe: RecipeArgument,
    out: Annotated[Path, typer.Option("--out", help="Folder to write.", metavar="DIR")],
    said: OutputOption,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Train a recipe's network and its ANN twin into a folder.

    Example: spikeport train digits --out runs/mine
    """
    from spikeport.run.claim import new_folder

    from . import commands

    commands.train(recipe, new_folder(out, "", overwrite), resume, said, overwrite)


@app.command()
@grouped
def export(
    source: Annotated[
        Path, typer.Argument(help="A folder that `train` or `run` wrote; for .net a model file, too.", metavar="DIR")
    ],
    output: Annotated[
        Path, typer.Option("-o", help="The file to write: .nir, .net or .onnx.", metavar="MODEL.nir|.net|.onnx")
    ],
    choices: CompileOptions,
    said: OutputOption,
    chip: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--chip", help="The chip whose words a .net file is rounded to; default loihi2.", metavar="NAME"),
    ] = None,
) -> None:
    """Export the trained network as NIR or for lava-dl (.net), or its ANN twin as ONNX.

    Example: spikeport export runs/digits -o digits.nir
    """
    from . import commands

    commands.export(source, output, chip, choices, said)


def _list_passes(wanted: bool) -> None:
    if wanted:
        from spikeport.exporter.lowering.pass_pipeline import describe_passes

        steps = describe_passes()
        width = max(map(len, steps)) + 2
        for name, sentence in steps.items():
            typer.echo(f"{name:{width}s}{sentence}")
        raise typer.Exit


@app.command("compile")
@grouped
def compile_(
    model: Annotated[Path, typer.Argument(help="The network, a .nir, .net or .onnx file.", metavar="MODEL")],
    chip: ChipOption,
    output: Annotated[Path, typer.Option("-o", help="The program to write.", metavar="MODEL.chip")],
    choices: CompileOptions,
    said: OutputOption,
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
    from . import commands

    commands.compile_model(model, chip, choices, dump, output, said)


@app.command("import")
@grouped
def import_(
    model: Annotated[Path, typer.Argument(help="A network of ReLUs, an .onnx file.", metavar="MODEL.onnx")],
    calibrate: Annotated[
        Path, typer.Option("--calibrate", help="Sample input (N, *input shape), as in training.", metavar="X.npy")
    ],
    output: Annotated[Path, typer.Option("-o", help="The file to write: .chip or .nir.", metavar="MODEL.chip|.nir")],
    said: OutputOption,
    chip: Annotated[str, typer.Option("--chip", help="A chip by name, or a profile file.", metavar="NAME")] = "loihi2",
    way: Annotated[WayName, typer.Option("--as", help="What becomes of a ReLU.")] = WayName.rate,
    steps: Annotated[int, typer.Option("--steps", help="Time steps that a sample is shown.", metavar="T")] = 32,
    test: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--input", help="Samples to try it on, default those of --calibrate.", metavar="X.npy"),
    ] = None,
    labels: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--labels", help="Their classes (N,), for the accuracy.", metavar="Y.npy"),
    ] = None,
) -> None:
    """Make a spiking network of an ANN of ReLUs, and say what is lost after how many steps.

    Example: spikeport import cnn.onnx --calibrate images.npy --labels classes.npy --steps 64 -o cnn.chip
    """
    from .onnx_import import import_onnx

    import_onnx(model, chip, way.value, calibrate, steps, test, labels, output, said)


@app.command()
@grouped
def check(
    model: ModelArgument,
    chip: ChipOption,
    choices: CompileOptions,
    said: OutputOption,
    by_hand: MapOption = None,
    dump_map: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--dump-map", help="Write the mapping there, for --map.", metavar="FILE"),
    ] = None,
) -> None:
    """Say what fills every core, what does not fit and what would; exit 1 if it does not fit.

    Example: spikeport check digits.nir --chip loihi2
    """
    from . import commands

    if not commands.check(model, chip, choices, by_hand, dump_map, said):
        raise typer.Exit(NO)


@app.command()
@grouped
def simulate(
    model: ModelArgument,
    x: InputOption,
    output: Annotated[Path, typer.Option("-o", help="The arrays to write.", metavar="OUT.npz")],
    choices: CompileOptions,
    said: OutputOption,
    backend: Annotated[BackendName, typer.Option("--backend", help="What runs it.")] = BackendName.emulator,
    chip: OptionalChip = None,
    steps: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--steps", help="Time steps of the chip; default: until every answer is out.", metavar="T"),
    ] = None,
    record: Annotated[RecordName, typer.Option("--record", help="What to keep.")] = RecordName.spikes,
    time_limit: Annotated[
        float, typer.Option("--time-limit", help="Seconds after which a Lava run is stopped.", metavar="SECONDS")
    ] = 600.0,
    workers: WorkersOption = None,
    cluster: ClusterOption = None,
) -> None:
    """Run a network on spikes from a file.

    Example: spikeport simulate digits.chip --input x.npy --backend lava --record all -o out.npz
    """
    from . import commands

    how = commands.HowToRun(backend.value, steps, record.value, time_limit, workers, cluster)
    commands.simulate_file(model, x, output, chip, choices, how, said)


@app.command()
@grouped
def diff(
    model: Annotated[Path, typer.Argument(help="The network, a .nir file.", metavar="MODEL.nir")],
    x: InputOption,
    choices: CompileOptions,
    said: OutputOption,
    chip: OptionalChip = None,
    picture: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--picture", help="Draw it there, too.", metavar="F.svg"),
    ] = None,
) -> None:
    """Hold float against fixed point, layer by layer, and say which rounding is to blame; exit 1 if spikes differ.

    Example: spikeport diff digits.nir --input x.npy --chip loihi2 --picture diff.svg
    """
    from . import commands

    if not commands.diff_file(model, x, chip, choices, picture, said):
        raise typer.Exit(NO)


@app.command()
@grouped
def profile(
    model: ModelArgument,
    x: InputOption,
    chip: ChipOption,
    choices: CompileOptions,
    said: OutputOption,
    costs: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--costs", help="Price the same events on these, too, by comma.", metavar="A,B"),
    ] = None,
    run: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--run", help="A recorded run on this input: nothing is simulated.", metavar="OUT.npz"),
    ] = None,
    trace: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--trace", help="Write a time line of the cores for Perfetto there.", metavar="F.json"),
    ] = None,
    by_hand: MapOption = None,
) -> None:
    """Count spikes and synaptic operations and estimate energy and latency of one inference.

    Example: spikeport profile digits.chip --input x.npy --chip loihi2 --json profile.json
    """
    from . import commands

    commands.profile_file(model, x, chip, choices, costs, run, trace, by_hand, said)


@app.command()
@grouped
def sweep(
    recipe: RecipeArgument,
    over: Annotated[
        list[str],
        typer.Option(
            "--over", help="A key and its values; chip, weight_bits and precision share a training.", metavar="KEY=A,B"
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to write; what is done in it is kept.", metavar="DIR")],
    said: OutputOption,
    more: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(help="More keys and their values.", metavar="[KEY=A,B]...", show_default=False),
    ] = None,
    workers: WorkersOption = None,
    cluster: ClusterOption = None,
) -> None:
    """Accuracy, energy, latency and cores of a recipe over a grid of its keys, and which points no other beats.

    Example: spikeport sweep digits --over weight_bits=4,6,8 chip=loihi1,loihi2 --out sweeps/digits
    """
    from . import commands

    commands.sweep(recipe, [*over, *(more or [])], out, workers, cluster, said)


@app.command()
@grouped
def compare(
    folder: Annotated[Path, typer.Argument(help="A finished run's folder.", metavar="DIR")],
    said: OutputOption,
    devices: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--devices", help="Devices for the ANN, by comma.", metavar="A,B"),
    ] = None,
) -> None:
    """Put the network on the chip beside its ANN twin on conventional devices.

    Example: spikeport compare runs/digits --devices server_cpu,jetson_tx1
    """
    from . import commands

    commands.compare(folder, devices, said)


@app.command()
@grouped
def report(
    folder: Annotated[Path, typer.Argument(help="A finished run's folder.", metavar="DIR")],
    said: OutputOption,
    other: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Argument(help="Another one, to put beside it.", metavar="OTHER"),
    ] = None,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("-o", help="The page to write, default in DIR.", metavar="F.html"),
    ] = None,
) -> None:
    """Write a run's report.html anew, or put two runs side by side, differences first.

    Example: spikeport report runs/digits runs/digits_cnn -o both.html
    """
    from . import commands

    commands.report(folder, other, output, said)


@app.command()
@grouped
def chips(
    said: OutputOption,
    name: Annotated[Optional[str], typer.Argument(help="A chip or device.", metavar="NAME")] = None,  # noqa: UP045
    validate: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--validate", help="Check a profile of your own.", metavar="FILE"),
    ] = None,
) -> None:
    """List the profiles, or every constant of one with its source.

    Example: spikeport chips loihi2
    """
    from . import commands

    if validate is not None:
        commands.validate_profile(validate, said)
        return
    commands.chips(name, said)


@app.command()
@grouped
def doctor(said: OutputOption) -> None:
    """Say what is installed, which backends work, and the way out of what does not; exit 1 if something is broken.

    Example: spikeport doctor
    """
    from spikeport.doctor import examine

    found = examine()
    found.show(said.console)
    said.figures(found.parts())
    if not found.healthy:
        raise typer.Exit(NO)


def main() -> None:
    """Run the command line; an error is one sentence on standard error and exit code 2."""
    arguments = with_bare_json(sys.argv[1:], _commands() if "--json" in sys.argv else None)
    debug = "--debug" in arguments
    warnings.showwarning = _warn
    try:
        status = app(arguments, standalone_mode=False) or 0
        if status == INTERRUPTED:  # typer's own way to pass on Ctrl-C
            raise KeyboardInterrupt
        sys.exit(status)
    except (InputError, BackendError) as error:
        _fail(str(error), error, debug, WRONG)
    except KeyboardInterrupt as error:
        _fail("interrupted; what was written is whole, train and run go on with --resume", error, debug, INTERRUPTED)
    except ModuleNotFoundError as error:
        _fail(_missing_sentence(error), error, debug, WRONG)
    except Exception as error:
        if _out_of_memory(error):
            _fail(
                f"memory does not suffice ({reason(error)}); take fewer steps, samples or neurons", error, debug, WRONG
            )
        usage = _usage_message(error)
        if usage is not None:
            _fail(usage, error, debug, WRONG)
        _fail(f"unexpected {type(error).__name__}: {reason(error)}; --debug shows where", error, debug, WRONG)


def _commands() -> Any:
    """Every command by name, as typer reads it."""
    from typer.main import get_command

    return getattr(get_command(app), "commands", {})


def _run(recipe: Path, out: Path | None, overwrite: bool, resume: bool, said: Output) -> None:
    from spikeport.run.claim import new_folder
    from spikeport.run.recipe import load_recipe
    from spikeport.run.whole_run import run_recipe

    name = load_recipe(recipe).name
    folder = new_folder(out, name, overwrite, resume)
    said.figures(run_recipe(recipe, folder, resume, said.console, overwrite))


def _warn(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """A warning is one sentence on standard error, too; those of libraries to their developers are left out."""
    if not issubclass(category, (DeprecationWarning, FutureWarning)):
        sys.stderr.write(f"warning: {message}\n")


def _missing_sentence(error: ModuleNotFoundError) -> str:
    """Which extra brings a package that is not installed."""
    package = (error.name or "").partition(".")[0]
    extra = _EXTRAS.get(package)
    if extra is None:
        return f"the package {package!r} is missing; `spikeport doctor` says what is installed"
    return f"this needs {package}, which is not installed; pip install 'spikeport[{extra}]' brings it"


def _out_of_memory(error: Exception) -> bool:
    # torch has a type of its own for this on GPUs alone
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "allocate memory" in str(error))


def _usage_message(error: Exception) -> str | None:
    """Typer's own message for a wrong call, with the nearest option, or None for any other error."""
    message = getattr(error, "format_message", None)
    if message is None:
        return None
    text = str(message()).rstrip(".").replace("Value error, ", "")
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "spikeport"
    wrong = getattr(error, "option_name", None)
    choice = re.search(r"'([^']*)' is not one of (.*)", text)
    hint = nearest(choice[1], re.findall(r"'([^']*)'", choice[2])) if choice else ""
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
