"""Where a command's words and figures go: words to the terminal, figures as JSON to a file or to standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .bare_json import STANDARD_OUTPUT as STANDARD_OUTPUT
from .bare_json import with_bare_json as with_bare_json

if TYPE_CHECKING:
    from rich.console import Console

Done = Callable[[int, int], None]
"""Is told how much is done, and of how much."""


@dataclass(frozen=True)
class Output:
    """json: the file that figures are written to, `-` for standard output, None where nobody asked for them.

    words_aside: whether standard output takes a file.
    """

    json: Path | None = None
    words_aside: bool = False

    @cached_property
    def console(self) -> Console:
        """Where words go: standard output, or standard error where figures or a file go to standard output."""
        from rich.console import Console

        return Console(stderr=self.to_standard_output or self.words_aside)

    def figures(self, parts: Mapping[str, Any]) -> None:
        """Write plain values as JSON, where they were asked for; raises InputError if the file cannot be written."""
        if self.json is None:
            return
        text = json.dumps(parts, indent=2) + "\n"
        if self.to_standard_output:
            sys.stdout.write(text)
            return
        from spikeport.common.files import write_text

        write_text(self.json, text)

    @property
    def to_standard_output(self) -> bool:
        """Whether figures go to standard output."""
        return str(self.json) == STANDARD_OUTPUT


@contextmanager
def progress(what: str, console: Console) -> Iterator[Done]:
    """A bar with the time left on a terminal, nothing elsewhere; yields what to call as the work proceeds."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def say(console: Console, text: str) -> None:
    """Print a sentence as it is: no markup, no colours for numbers, no line broken."""
    console.print(text, highlight=False, soft_wrap=True, markup=False)
