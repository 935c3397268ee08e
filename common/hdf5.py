"""Checks an HDF5 file before it is read: it must be self-contained, and its arrays no larger than its content."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Any

import h5py

from .errors import InputError

# limit of all arrays of a file together, as numbers of 8 bytes
LARGEST_BYTES = 1 << 31
# no HDF5 filter compresses more than this; a small array may be unwritten and have no storage
_PACKED, _SMALL_BYTES = 1100, 1 << 20
_DEEPEST, _LONGEST_NAME = 64, 1000
_HEAP, _HEAP_HEAD, _HEAP_ENTRY = b"GCOL", struct.Struct("<8xQ"), struct.Struct("<H6xQ")


def check_self_contained(file: h5py.File, path: str) -> None:
    """Raise InputError if reading could open other files, never end, or exhaust memory.

    Refused are links, external and virtual datasets, objects that occur twice (a group within itself has no end),
    values that are neither numbers nor text, and arrays that are huge or larger than the stored bytes allow.
    """
    _check_heaps(Path(file.filename), path)
    if file.id.get_create_plist().get_sizes() != (8, 8):
        raise InputError(f"{path}: stores sizes in an unusual width; make the file again")
    seen: set[int] = set()
    total = 0
    waiting: list[tuple[str, h5py.Group, int]] = [("", file["/"], 0)]
    _check_attributes(file, "the file itself", path)
    while waiting:
        name, group, depth = waiting.pop()
        for key in group:
            label = f"{name}/{key}".lstrip("/")
            if len(label) > _LONGEST_NAME:
                raise InputError(f"{path}: a name has {len(label)} characters ({label[:40]} ...); make the file again")
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise InputError(f"{path}: {label} is a link; make the file again without links")
            item = group[key]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                raise InputError(f"{path}: {label} is in the file twice; make the file again without links")
            seen.add(address)
            _check_attributes(item, label, path)
            if isinstance(item, h5py.Dataset):
                total += check_array(item, label, path)
                if total > LARGEST_BYTES:
                    raise InputError(f"{path}: {label} has shape {item.shape}, more than can be read; make it smaller")
            elif isinstance(item, h5py.Group) and depth < _DEEPEST:
                waiting.append((label, item, depth + 1))
            else:
                raise InputError(f"{path}: {label} is neither an array nor a group of arrays; make the file again")


def _check_attributes(item: Any, label: str, path: str) -> None:
    for key in item.attrs:
        _check_type(item.attrs.get_id(key).dtype, f"{label}, attribute {key[:_LONGEST_NAME]}", path)


def _check_type(dtype: Any, label: str, path: str) -> None:
    """Allow only numbers and text: HDF5 crashes on some damaged types."""
    if dtype.kind not in "biufS" and h5py.check_string_dtype(dtype) is None:
        raise InputError(f"{path}: {label} holds {dtype}, but numbers or text are read; make the file again")


def _check_heaps(file: Path, path: str) -> None:
    """Refuse a string heap with inconsistent sizes, on which HDF5 (1.14) loops forever.

    HDF5 file format specification 3.0, section III.E: signature, version, 3 bytes, size of the heap; then entries of
    index, count of references, 4 bytes, size, and that many bytes rounded up to 8; index 0 is the free space at the
    end.
    """
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.find(_HEAP)
        while start >= 0:
            if not _adds_up(content, start):
                raise InputError(f"{path}: is damaged (a string heap at byte {start}); make the file again")
            start = content.find(_HEAP, start + len(_HEAP))


def _adds_up(content: mmap.mmap, start: int) -> bool:
    head = _HEAP_HEAD.unpack_from(content, start) if start + _HEAP_HEAD.size <= len(content) else (0,)
    stop = start + head[-1]
    if not start + _HEAP_HEAD.size <= stop <= len(content):
        return False
    position = start + _HEAP_HEAD.size
    while position + _HEAP_ENTRY.size <= stop:
        index, size = _HEAP_ENTRY.unpack_from(content, position)
        if index == 0:
            return int(size) == int(stop) - position
        position += _HEAP_ENTRY.size + (size + 7) // 8 * 8
    return int(position) <= int(stop)


def check_array(item: Any, label: str, path: str) -> int:
    """Bytes that a dataset takes in memory; raises InputError if another file holds it or this one holds less."""
    _check_type(item.dtype, label, path)
    return _stored_bytes(item, label, path)


def check_table(item: Any, label: str, path: str) -> int:
    """The same for a table, whose rows have named fields of numbers."""
    fields = item.dtype.names or ()
    if not fields or any(item.dtype[name].kind not in "biuf" for name in fields):
        raise InputError(f"{path}: {label} holds {item.dtype}, but fields of numbers are read; make the file again")
    return _stored_bytes(item, label, path)


def _stored_bytes(item: Any, label: str, path: str) -> int:
    if item.external or item.is_virtual:
        raise InputError(f"{path}: {label} points to another file; make the file again")
    size = int(item.size or 0) * max(8, int(item.dtype.itemsize))
    if size > _SMALL_BYTES and int(item.id.get_storage_size()) * _PACKED < size:
        raise InputError(f"{path}: {label} has shape {item.shape}, but the file holds less; make the file again")
    return size
