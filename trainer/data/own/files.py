"""The data set "files": the user's own data, of the kind that the path holds."""

from __future__ import annotations

import os
from pathlib import Path

from spikeport.common.errors import InputError
from spikeport.common.file_kinds import EVENTS, IMAGES, SOUNDS, FileKind, file_kind
from spikeport.trainer.data.dataset import Dataset, Request
from spikeport.trainer.data.paths_and_cache import DATA, find_data

from .arrays import SPLIT, WHOLE, array_files
from .class_files import first_sample, refuse_incomplete
from .events import event_folder
from .images import image_folder
from .sounds import sound_folder
from .tables import table

_ARRAYS = (FileKind.NPZ, FileKind.NPY, FileKind.HDF5, FileKind.EVENTS_HDF5, FileKind.EVENTS_NPZ)
_READ = (
    "data are arrays (.npz, .h5, a folder of .npy files), a .csv table, or a folder of images, event recordings or "
    "sound recordings by class"
)


def files(request: Request) -> Dataset:
    """The user's own arrays, tables, or folders of images, event recordings or sound recordings; raises InputError.

    Recognised by the content, not by the names' endings; request.files: how they are read.
    """
    if request.path is None:
        raise InputError('data set "files" needs data = "PATH" in the recipe: ' + _READ)
    path = _located(request.path)
    return _folder(path, request) if path.is_dir() else _file(path, request)


def _located(path: Path) -> Path:
    """The path as it is, or below the folder in SPIKEPORT_DATA; raises InputError if neither exists."""
    root = os.environ.get(DATA)
    below = path if path.exists() or not root else Path(root) / path
    return below if below.exists() else find_data("files", path, "")


def _file(path: Path, request: Request) -> Dataset:
    kind = file_kind(path)
    refuse_incomplete(path, kind)
    if kind in (FileKind.CSV, FileKind.TEXT):
        return table(path, request)
    if kind in _ARRAYS:
        return array_files(path, request)
    if kind in EVENTS | IMAGES | SOUNDS:
        raise InputError(f"{path}: is {kind.value}, one sample; give a folder of them by class, CLASS/FILE")
    if kind is FileKind.ARCHIVE:
        raise InputError(f"{path}: is {kind.value}; unpack it and give the folder")
    raise InputError(f"{path}: is {kind.value}; {_READ}")


def _folder(path: Path, request: Request) -> Dataset:
    if any((path / f"{name}.npy").is_file() for name in (SPLIT[0], WHOLE[0])):
        return array_files(path, request)
    if (path / "train.csv").is_file() and (path / "test.csv").is_file():
        return table(path, request)
    first = first_sample(path)
    if first is None:
        raise InputError(f"{path}: has no files; {_READ}")
    kind = file_kind(first)
    for kinds, load in ((IMAGES, image_folder), (EVENTS, event_folder), (SOUNDS, sound_folder)):
        if kind in kinds:
            return load(path, request)
    refuse_incomplete(first, kind)
    raise InputError(f"{first}: is {kind.value}; {_READ}")
