"""The errors that every room raises for a person to read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """The input or the call is wrong: one clear sentence that names the culprit and the way out (exit code 2)."""


class BackendError(RuntimeError):
    """A backend could not run or did not finish: one clear sentence that names the layer at fault (exit code 2)."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The hint `; did you mean 'x'?` for the known name nearest to a mistyped one, or an empty string."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]!r}?" if matches else ""


def reason(error: BaseException) -> str:
    """The first line of an error's text, for use inside a sentence of our own."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
