"""Kinds of files whose first bytes name a container only: zip archives and HDF5 files, by the names inside."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

from .kinds import EVENT_FIELDS, FileKind

_HEAD = 4096


def zip_kind(path: Path) -> FileKind:
    """What a zip archive holds."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            last_parts = {name.rpartition("/")[2] for name in names}
            if names and all(name.endswith(".npy") for name in names):
                fields = {name.removesuffix(".npy") for name in names}
                return FileKind.EVENTS_NPZ if _are_events(fields) or _member_has_events(archive) else FileKind.NPZ
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        return FileKind.ZIP
    if "constants.pkl" in last_parts:
        return FileKind.TORCH_SCRIPT
    if {"serialized_exported_program.json", "archive_format"} & last_parts:
        return FileKind.TORCH_EXPORT
    if "data.pkl" in last_parts:
        return FileKind.TORCH
    keras = "model.weights.h5" in last_parts or {"metadata.json", "config.json"} <= last_parts
    return FileKind.KERAS if keras else FileKind.ZIP


def _member_has_events(archive: zipfile.ZipFile) -> bool:
    """Whether the only array of an .npz file has the fields of events."""
    members = archive.infolist()
    if len(members) != 1:
        return False
    with archive.open(members[0]) as file:
        return has_event_fields(file.read(_HEAD))


def hdf5_kind(path: Path) -> FileKind:
    """What an HDF5 file holds; links are not followed."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            names, attributes = set(file), set(file.attrs)
            items = {name: file[name] for name in names if isinstance(file.get(name, getlink=True), h5py.HardLink)}
            inner = {name: set(item) for name, item in items.items() if isinstance(item, h5py.Group)}
            tables = [item.dtype.names for item in items.values() if isinstance(item, h5py.Dataset)]
    # a damaged file: h5py raises OSError, KeyError, RuntimeError and more
    except Exception:
        return FileKind.HDF5
    if {"node", "version"} <= names:
        return FileKind.NIR
    if "word_widths" in attributes:
        return FileKind.CHIP
    if "layer" in names:
        return FileKind.NET
    if {"keras_version", "model_config", "layer_names"} & attributes or "model_weights" in names:
        return FileKind.KERAS_HDF5
    if "nodes" in names:
        return FileKind.NIR_DATA
    fields = [names, *inner.values(), *(set(table) for table in tables if table)]
    return FileKind.EVENTS_HDF5 if any(map(_are_events, fields)) else FileKind.HDF5


def _are_events(fields: Iterable[str]) -> bool:
    known = set(fields)
    return {"x", "t"} <= known and len(known & set(EVENT_FIELDS)) >= 3


def has_event_fields(head: bytes) -> bool:
    """Whether the header of a .npy array, its first bytes, lists the fields of events."""
    header = head[: head.find(b"\n") + 1]
    return b"('x'," in header and b"('t'," in header
