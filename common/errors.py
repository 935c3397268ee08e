"""Errors with messages for the user, and helpers to write them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# messages of libraries may quote a file's content
_LONGEST_REASON = 300
_LONGEST_SENTENCE = 1000
# control characters but for line breaks and tabs, those that change the direction of text, and bytes that are no text
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class InputError(ValueError):
    """The input or the call is wrong: one sentence that names the cause and the remedy (exit code 2).

    all_sentences: one for each cause, where several are known.
    """

    def __init__(self, sentence: object = "", all_sentences: Sequence[str] = ()) -> None:
        # names from a file may contain line breaks and sequences that a terminal executes
        super().__init__(_cleaned(sentence))
        self.all_sentences = tuple(map(_cleaned, all_sentences)) or (str(self),)


class DoesNotFitError(InputError):
    """The network is beyond a limit of the chip: one sentence that names the limit and what would fit.

    `spikeport check` answers it with "no" (exit code 1).
    """


class BackendError(RuntimeError):
    """A backend could not run or did not finish: one sentence that names the failed layer (exit code 2)."""


def all_of(errors: Sequence[InputError]) -> InputError:
    """One error for several, of the first one's kind: it says the first, and how many more there are."""
    first, more = errors[0], len(errors) - 1
    counted = f" (and {more} more limit{'s' * (more > 1)})" if more else ""
    return type(first)(f"{first}{counted}", [str(error) for error in errors])


def _cleaned(sentence: object) -> str:
    return shortened(visible(re.sub(r"\s*\n\s*", " ", str(sentence))))


def visible(text: str) -> str:
    """The text with control characters as escapes, as in `\\x1b[31m`."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def shortened(sentence: str) -> str:
    """The sentence, without its middle if it is longer than a few lines: the remedy is at the end."""
    if len(sentence) <= _LONGEST_SENTENCE:
        return sentence
    return f"{sentence[: _LONGEST_SENTENCE * 2 // 3]} ... {sentence[-_LONGEST_SENTENCE // 3 :]}"


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
    names = list(known)
    # the same but for capitals comes first
    matches = [other for other in names if other.lower() == name.lower()]
    matches = matches or difflib.get_close_matches(name, names, n=1, cutoff=0.5)
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
