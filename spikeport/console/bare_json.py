"""`--json` without a file: the next argument is its file only if it can be one.

The next argument is left to the command if it is an option, a folder, an argument that the command would otherwise
lack (unless it ends in .json), a model or array file that the command could take, or a profile's name after `chips`;
results then go to standard output.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

STANDARD_OUTPUT = "-"
NO_JSON = (".nir", ".net", ".onnx", ".chip", ".npy", ".npz", ".toml", ".h5", ".hdf5", ".pt", ".safetensors")
"""File endings that JSON results are not written to."""
_JSON = "--json"


def with_bare_json(arguments: list[str], commands: Any = None) -> list[str]:
    """The arguments with `--json -` for a --json without a file; commands: typer's commands by name."""
    completed: list[str] = []
    for index, argument in enumerate(arguments):
        completed.append(argument)
        following = arguments[index + 1] if index + 1 < len(arguments) else None
        if argument == _JSON and not _is_file(following, arguments[:index], arguments[index + 2 :], commands):
            completed.append(STANDARD_OUTPUT)
    return completed


def _is_file(following: str | None, before: list[str], after: list[str], commands: Any) -> bool:
    if following is None or (following.startswith("-") and following != STANDARD_OUTPUT):
        return False
    if following == STANDARD_OUTPUT or following.endswith(".json"):
        return True
    if Path(following).is_dir() and not following.endswith("/"):
        return False
    name = next((argument for argument in before if not argument.startswith("-")), None)
    command = (commands or {}).get(name)
    if command is None:
        return True
    given = _positionals(command, [*before[before.index(str(name)) + 1 :], *after])
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    if given < sum(p.required for p in arguments):
        return False
    room = any(p.nargs < 0 for p in arguments) or given < len(arguments)
    if room and Path(following).suffix in NO_JSON:
        return False
    return not (name == "chips" and given == 0 and _is_profile(following))


def _positionals(command: Any, arguments: Sequence[str]) -> int:
    """How many of the arguments are neither options nor their values."""
    valued = {option for p in command.params if p.param_type_name == "option" and not p.is_flag for option in p.opts}
    count, skipped, ended = 0, False, False
    for argument in arguments:
        if skipped:
            skipped = False
        elif ended or not argument.startswith("-") or argument == STANDARD_OUTPUT:
            count += 1
        elif argument == "--":
            ended = True
        else:
            # an option with its value after "=" takes no further argument
            skipped = argument in valued and argument != _JSON
    return count


def _is_profile(name: str) -> bool:
    from spikeport.hardware_profiles.loader import available

    return name in available()
