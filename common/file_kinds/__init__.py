"""Recognises what a file or folder holds by its first bytes, for messages and to choose a reader.

Nothing is loaded: at most the first bytes, the names in an archive and the names in an HDF5 file are read.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from spikeport.common.errors import InputError, nearest_file, reason

from .kinds import EVENT_FIELDS, EVENTS, IMAGES, SOUNDS, FileKind
from .signatures import HEAD, kind_of_bytes

__all__ = ["EVENTS", "EVENT_FIELDS", "IMAGES", "SOUNDS", "FileKind", "describe", "file_kind"]

# files of a folder that are looked at
_LOOKED_AT = 64


def file_kind(path: str | Path) -> FileKind:
    """What a file or folder holds, by its content; the ending decides only among kinds of text.

    Raises InputError for a missing or unreadable one.
    """
    path = Path(path)
    if path.is_dir():
        return _folder_kind(path)
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file{nearest_file(path)}; check the path") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({reason(error)}); check the path") from error
    return kind_of_bytes(path, head, size) if head else FileKind.EMPTY


def describe(path: str | Path) -> str:
    """The beginning of a message: "PATH is a PyTorch file"."""
    return f"{path} is {file_kind(path).value}"


def _folder_kind(path: Path) -> FileKind:
    if (path / "summary.json").is_file() or (path / "network.safetensors").is_file():
        return FileKind.RUN_FOLDER
    if (path / "saved_model.pb").is_file():
        return FileKind.SAVED_MODEL
    is_kind: tuple[tuple[FileKind, frozenset[FileKind]], ...] = (
        (FileKind.IMAGE_FOLDER, IMAGES),
        (FileKind.SOUND_FOLDER, SOUNDS),
        (FileKind.EVENT_FOLDER, EVENTS),
    )
    files = (file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    kinds = [_kind_or_unknown(file) for file in islice(files, _LOOKED_AT)]
    counts = {folder: sum(kind in members for kind in kinds) for folder, members in is_kind}
    most = max(counts, key=lambda folder: counts[folder])
    return most if counts[most] else FileKind.FOLDER


def _kind_or_unknown(path: Path) -> FileKind:
    try:
        return file_kind(path)
    except InputError:
        return FileKind.UNKNOWN
