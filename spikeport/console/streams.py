"""Standard output and error that fit every terminal and survive a reader that has gone."""

from __future__ import annotations

import io
import os
import stat
import sys
from typing import Any


def prepare_streams() -> None:
    """Write what a terminal cannot show as escapes, and discard what no one reads any more, as after `| head -1`.

    The command then goes on: its files are written, and its exit code is its own answer.
    """
    sys.stdout = _prepared(sys.stdout)
    sys.stderr = _prepared(sys.stderr)


def _prepared(stream: Any) -> Any:
    if not isinstance(stream, io.TextIOWrapper):
        # a test's stream, or none at all
        return stream
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (OSError, ValueError):
        return stream
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        buffer = io.BufferedWriter(_Pipe(stream.fileno(), "w", closefd=False))
        return io.TextIOWrapper(
            buffer, stream.encoding, "backslashreplace", line_buffering=stream.line_buffering, write_through=True
        )
    stream.reconfigure(errors="backslashreplace")
    return stream


class _Pipe(io.FileIO):
    """A pipe that turns into /dev/null when its reader has gone."""

    def write(self, content: Any) -> int:
        """Write the content, or discard it."""
        try:
            return super().write(content)
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return len(content)
