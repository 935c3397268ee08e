"""The errors that every room raises for a person to read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

# libraries put into their messages what a file holds
_LONGEST_REASON = 300


class InputError(ValueError):
    """The input or the call is wrong: one clear sentence that names the culprit and the way out (exit code 2)."""

    def __init__(self, sentence: object = "") -> None:
        # what a file holds may break a line where it is named
        super().__init__(re.sub(r"\s*\n\s*", " ", str(sentence)))


class BackendError(RuntimeError):
    """A backend could not run or did not finish: one clear sentence that names the layer at fault (exit code 2)."""


@contextmanager
def naming(what: str, remedy: str) -> Iterator[None]:
    """Say what the numbers of `what` make fail in here as an InputError that names it; others pass as they are."""
    try:
        yield
    except InputError:
        raise
    except (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError) as error:
        raise InputError(f"{what} holds numbers that do not fit together ({reason(error)}); {remedy}") from error


def nearest(name: str, known: Iterable[str]) -> str:
    """The hint `; did you mean 'x'?` for the known name nearest to a mistyped one, or an empty string."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]!r}?" if matches else ""


def check_choice(option: str, value: object, allowed: Iterable[str]) -> None:
    """Raise InputError, naming the allowed values and the nearest, for a value that an option does not have."""
    known = list(allowed)
    if value not in known:
        raise InputError(f"{option} {value!r} is unknown; known are {', '.join(known)}{nearest(str(value), known)}")


def nearest_file(path: str | Path) -> str:
    """The hint for the file beside `path` whose name is nearest to its name, or an empty string."""
    try:
        return nearest(Path(path).name, (found.name for found in Path(path).parent.iterdir()))
    except OSError:
        return ""


def reason(error: BaseException) -> str:
    """The first line of an error's text, for use inside a sentence of our own."""
    lines = str(error).strip().splitlines()
    first = lines[0] if lines else type(error).__name__
    return first if len(first) <= _LONGEST_REASON else f"{first[:_LONGEST_REASON]} ..."
