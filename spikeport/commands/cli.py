"""The command line. Every command loads what it needs when it is called, so that --help stays quick."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

import typer

from spikeport.common.accelerator import is_out_of_memory
from spikeport.common.errors import BackendError, InputError, nearest, reason, shortened, visible
from spikeport.common.system_errors import system_sentence
from spikeport.console.bare_json import with_bare_json
from spikeport.console.signals import EndSignals
from spikeport.console.streams import prepare_streams

from .exit_codes import EXIT_INTERRUPTED, EXIT_USAGE
from .fit import fit
from .model_commands import check, compile_, diff, export, import_, profile, simulate, tune
from .result_commands import chips, compare, doctor, report, sweep
from .run_commands import demo, examples, run, train
from .zoo_commands import models_app

app = typer.Typer(
    help="Take a spiking network from training to a neuromorphic chip.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    rich_markup_mode="rich",
)

# in the order of --help
_COMMANDS = (
    *(demo, examples, run, train),
    *(export, compile_, import_, tune, check, fit, simulate, diff, profile),
    *(sweep, compare, report, chips, doctor),
)
# modules that the light installation leaves out
_EXTRAS = {
    "torch": "train",
    "safetensors": "train",
    "sklearn": "train",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "torchvision": "data",
    "tonic": "data",
    "distributed": "cluster",
}


def _show_version(show: bool) -> None:
    if show:
        from spikeport import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _global(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[  # noqa: ARG001 - read by its callback
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    context.obj = {"debug": debug}


for _command in _COMMANDS:
    app.command(_command.__name__.rstrip("_"))(_command)
app.add_typer(models_app, name="models")


def main() -> None:
    """Run the command line; an error is one sentence on standard error and exit code 2."""
    prepare_streams()
    arguments = with_bare_json(sys.argv[1:], _commands_by_name() if "--json" in sys.argv else None)
    debug = "--debug" in arguments
    warnings.showwarning = _warner()
    signals = EndSignals()
    signals.install()
    try:
        status = app(arguments, standalone_mode=False) or 0
        if status == EXIT_INTERRUPTED:  # how typer passes on Ctrl-C
            raise KeyboardInterrupt
        sys.exit(status)
    except (InputError, BackendError) as error:
        _fail(str(error), error, debug, EXIT_USAGE)
    except KeyboardInterrupt as error:
        # if it was raised below an exec of text, as when dataclasses are made, Python would end itself by SIGINT;
        # another exec takes that back
        exec("")
        _fail(
            "interrupted; what was written is whole; train, run and tune resume with --resume",
            error,
            debug,
            signals.status,
        )
    except ModuleNotFoundError as error:
        _fail(_missing_sentence(error), error, debug, EXIT_USAGE)
    except Exception as error:
        if is_out_of_memory(error):
            _fail(
                f"out of memory ({reason(error)}); use fewer steps, samples or neurons",
                error,
                debug,
                EXIT_USAGE,
            )
        if type(error).__name__ == "NoArgsIsHelpError":  # `spikeport` alone: the help is printed already
            sys.stdout.write(str(error))
            sys.exit(EXIT_USAGE)
        usage = _usage_message(error)
        if usage is not None:
            _fail(usage, error, debug, EXIT_USAGE)
        if isinstance(error, ImportError):
            _fail(_library_sentence(error), error, debug, EXIT_USAGE)
        if isinstance(error, OSError):
            _fail(system_sentence(error), error, debug, EXIT_USAGE)
        _fail(f"unexpected {type(error).__name__}: {reason(error)}; --debug shows where", error, debug, EXIT_USAGE)


def _commands_by_name() -> Any:
    """Every command by name, as typer reads it."""
    from typer.main import get_command

    return getattr(get_command(app), "commands", {})


def _warner() -> Callable[..., None]:
    """A function that prints a warning as one sentence on standard error, each sentence once.

    What concerns only the authors of libraries is left out.
    """
    printed = set[str]()

    def warn(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        sentence = visible(str(message))
        # joblib warns of this when it is imported, by every command; workers are refused in a sentence
        if issubclass(category, (DeprecationWarning, FutureWarning)) or "operate in serial mode" in sentence:
            return
        if sentence not in printed:
            printed.add(sentence)
            sys.stderr.write(f"warning: {sentence}\n")

    return warn


def _missing_sentence(error: ModuleNotFoundError) -> str:
    """Which extra brings a package that is not installed."""
    package = (error.name or "").partition(".")[0]
    extra = _EXTRAS.get(package)
    if extra is None:
        return f"the package {package!r} is missing; `spikeport doctor` lists what is installed"
    return f"this needs {package}, which is not installed; pip install 'spikeport[{extra}]' brings it"


def _library_sentence(error: ImportError) -> str:
    """A library that is installed, but that the system does not load: too little memory, or another version."""
    return f"a library cannot be loaded ({reason(error)}); free some memory, or run `spikeport doctor`"


def _usage_message(error: Exception) -> str | None:
    """Typer's own message for a wrong call, with the nearest option, or None for any other error."""
    message = getattr(error, "format_message", None)
    if message is None:
        return None
    text = str(message()).rstrip(".").replace("Value error, ", "").replace("Got unexpected extra", "too many")
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
    # after SIGHUP there may be no terminal
    with suppress(OSError):
        sys.stderr.write(f"error: {shortened(visible(message))}\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
