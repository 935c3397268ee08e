"""Temporary folders: one sentence where there can be none."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError
from .system_errors import system_reason

# what a few messages and a log need
_LEAST_BYTES = 1 << 16


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that is removed at the end, also if something removed it before; raises InputError without a place."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="spikeport-", ignore_cleanup_errors=True)
    except OSError as error:
        raise InputError(no_room(tempfile.gettempdir() if tempfile.tempdir else "TMPDIR", error)) from error
    path = Path(folder.name)
    try:
        with folder:
            yield path
    finally:
        # an interruption may have stopped the removal
        if path.exists():
            shutil.rmtree(path, ignore_errors=True)


def no_room(place: str | Path, error: OSError | None = None) -> str:
    """The sentence for temporary files that cannot be written; without an error the disk is full."""
    why = os.strerror(errno.ENOSPC) if error is None else system_reason(error)
    return f"{place}: temporary files cannot be written ({why}); free some space there, or set TMPDIR to another folder"


def is_full(folder: Path) -> bool:
    """Whether nothing more fits on the disk of a folder."""
    return folder.exists() and shutil.disk_usage(folder).free < _LEAST_BYTES
