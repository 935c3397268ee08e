"""Inputs that are kept: no command and no result writes over a file that it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from .errors import InputError

_kept: ContextVar[tuple[Path, ...]] = ContextVar("kept", default=())


def same_file(one: str | Path, other: str | Path) -> bool:
    """Whether two paths are one file that exists: by links, hard links, or names that the file system takes as one."""
    try:
        return Path(one).samefile(other)
    except (OSError, ValueError):
        return False


def refuse_inputs(output: str | Path, inputs: Iterable[str | Path], option: str = "") -> None:
    """Raise InputError if the output is one of the inputs; option: what names the output on the command line."""
    for path in inputs:
        if same_file(output, path):
            named = f"{option} {output}" if option else f"{output}"
            also = "" if str(path) == str(output) else f" (as {path})"
            raise InputError(f"{named}: is an input{also} and would be overwritten; choose another name")


@contextmanager
def keeping(inputs: Iterable[str | Path]) -> Iterator[None]:
    """While this lasts, `files.replacing` refuses to write over these inputs."""
    before = _kept.set((*_kept.get(), *map(Path, inputs)))
    try:
        yield
    finally:
        _kept.reset(before)


def refuse_kept(output: str | Path) -> None:
    """Raise InputError if the output is an input that is kept."""
    refuse_inputs(output, _kept.get())
