"""Names of tensor files, of this and of older releases."""

from __future__ import annotations

from pathlib import Path

ENDING = ".safetensors"
_OLD_ENDING = ".pt"


def existing_path(path: Path) -> Path:
    """The path itself, or an older release's file of that name if only that exists."""
    old = path.with_suffix(_OLD_ENDING)
    return old if old.exists() and not path.exists() else path


def drop_old(path: Path) -> None:
    """Remove an older release's file of that name, after its replacement was written."""
    if path.suffix == ENDING:
        path.with_suffix(_OLD_ENDING).unlink(missing_ok=True)
