"""Protects inputs: no command or result overwrites a file that it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from .errors import InputError

_protected: ContextVar[tuple[Path, ...]] = ContextVar("protected", default=())


def same_file(one: str | Path, other: str | Path) -> bool:
    """Whether two paths are one existing file: by links, hard links, or names that the file system treats as equal."""
    try:
        return Path(one).samefile(other)
    except (OSError, ValueError):
        return False


def refuse_inputs(output: str | Path, inputs: Iterable[str | Path], option: str = "") -> None:
    """Raise InputError if the output is one of the inputs; option: the command-line option of the output."""
    for path in inputs:
        if same_file(output, path):
            label = f"{option} {output}" if option else f"{output}"
            also = "" if str(path) == str(output) else f" (as {path})"
            raise InputError(f"{label}: is an input{also} and would be overwritten; choose another name")


@contextmanager
def keeping(inputs: Iterable[str | Path]) -> Iterator[None]:
    """While the context lasts, `files.replacing` refuses to overwrite these inputs."""
    before = _protected.set((*_protected.get(), *map(Path, inputs)))
    try:
        yield
    finally:
        _protected.reset(before)


def refuse_protected(output: str | Path) -> None:
    """Raise InputError if the output is a protected input."""
    refuse_inputs(output, _protected.get())
