"""Errors with messages for the user, and helpers to write them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

# messages of libraries may quote a file's content
_LONGEST_REASON = 300


class InputError(ValueError):
    """The input or the call is wrong: one sentence that names the cause and the remedy (exit code 2)."""

    def __init__(self, sentence: object = "") -> None:
        # names from a file may contain line breaks
        super().__init__(re.sub(r"\s*\n\s*", " ", str(sentence)))


class BackendError(RuntimeError):
    """A backend could not run or did not finish: one sentence that names the failed layer (exit code 2)."""


@contextmanager
def naming(context: str, remedy: str) -> Iterator[None]:
    """Turn an arithmetic or type error in this block into an InputError that names `context`."""
    try:
        yield
    except InputError:
        raise
    except (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError) as error:
        raise InputError(f"{context} holds numbers that do not fit together ({reason(error)}); {remedy}") from error


def nearest(name: str, known: Iterable[str]) -> str:
    """The hint `; did you mean 'x'?` for the known name nearest to a mistyped one, or an empty string."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]!r}?" if matches else ""


def check_choice(option: str, value: object, allowed: Iterable[str]) -> None:
    """Raise InputError for a value that is not allowed; the message lists the allowed values and the nearest."""
    known = list(allowed)
    if value not in known:
        raise InputError(f"{option} {value!r} is unknown; known are {', '.join(known)}{nearest(str(value), known)}")


def nearest_file(path: str | Path) -> str:
    """The hint for the most similar file name in the folder of `path`, or an empty string; none if `path` exists."""
    name = Path(path).name
    try:
        names = [entry.name for entry in Path(path).parent.iterdir()]
        return "" if name in names else nearest(name, names)
    except OSError:
        return ""


def reason(error: BaseException) -> str:
    """The first line of an error's text, for use inside a message."""
    lines = str(error).strip().splitlines()
    first = lines[0] if lines else type(error).__name__
    return first if len(first) <= _LONGEST_REASON else f"{first[:_LONGEST_REASON]} ..."
