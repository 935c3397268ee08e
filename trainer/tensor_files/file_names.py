"""What files of tensors are called, now and by older releases."""

from __future__ import annotations

from pathlib import Path

ENDING = ".safetensors"
_OLD_ENDING = ".pt"


def found(path: Path) -> Path:
    """The path itself, or where an older release's file of that name is the only one, that."""
    old = path.with_suffix(_OLD_ENDING)
    return old if old.exists() and not path.exists() else path


def drop_old(path: Path) -> None:
    """Remove an older release's file of that name, after its successor was written."""
    if path.suffix == ENDING:
        path.with_suffix(_OLD_ENDING).unlink(missing_ok=True)
