"""Output of a command: text to the terminal, results as JSON to a file or to standard output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikeport.common.json_text import json_text

from .bare_json import STANDARD_OUTPUT as STANDARD_OUTPUT
from .bare_json import with_bare_json as with_bare_json

if TYPE_CHECKING:
    from rich.console import Console

Done = Callable[[int, int], None]
"""Called with the amount done and the total."""


@dataclass(frozen=True)
class Output:
    """json: the file that results are written to, `-` for standard output, None if not requested.

    text_to_stderr: whether a file is written to standard output, so that text must not be.
    """

    json: Path | None = None
    text_to_stderr: bool = False

    @cached_property
    def console(self) -> Console:
        """Where text goes: standard output, or standard error if results or a file go to standard output."""
        from .visible import new_console

        return new_console(stderr=self.to_standard_output or self.text_to_stderr)

    def write_json(self, values: Mapping[str, Any]) -> None:
        """Write plain values as JSON if requested; raises InputError if the file cannot be written."""
        if self.json is None:
            return
        text = json_text(values, indent=2) + "\n"
        if self.to_standard_output:
            sys.stdout.write(text)
            return
        from spikeport.common.files import write_text

        write_text(self.json, text)

    @property
    def to_standard_output(self) -> bool:
        """Whether results go to standard output."""
        return str(self.json) == STANDARD_OUTPUT


@contextmanager
def progress(description: str, console: Console) -> Iterator[Done]:
    """A progress bar on a terminal, nothing elsewhere; yields the function to call as the work proceeds."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def say(console: Console, text: str) -> None:
    """Print text unchanged: no markup, no coloured numbers, no line breaks."""
    console.print(text, highlight=False, soft_wrap=True, markup=False)
