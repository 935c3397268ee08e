"""Checks an HDF5 file before it is read, or once it is written: self-contained, and within common/limits.py."""

from __future__ import annotations

import math
import mmap
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py

from .errors import InputError
from .hdf5_heaps import longest_text
from .limits import LARGEST_BYTES as LARGEST_BYTES
from .limits import LARGEST_TEXT_BYTES, MOST_CHUNKS, MOST_OBJECTS

# a small array may be unwritten and have no storage
_SMALL_BYTES = 1 << 20
_DEEPEST, _LONGEST_NAME = 64, 1000


def check_self_contained(file: h5py.File, path: str) -> None:
    """Raise InputError if reading could open other files, never end, or exhaust memory.

    Refused are links, external and virtual datasets, objects that occur twice (a group within itself has no end),
    values that are neither numbers nor text, arrays that are declared but not written, and more than the limits allow.
    """
    with (
        Path(file.filename).open("rb") as opened,
        mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        longest = longest_text(content, path)
    _check_tree(file, path, longest)


def check_written(content: BytesIO, path: str) -> None:
    """Raise InputError if a file that was written to memory could not be read back: the reader's own check."""
    with h5py.File(content, "r") as file:
        _check_tree(file, path, longest_text(content.getvalue(), path))


@dataclass
class _Totals:
    """What the parts of a file add up to; each addition raises InputError beyond the limits."""

    path: str
    longest_text: int
    objects: int = 0
    size: int = 0
    chunks: int = 0
    text_bytes: int = 0

    def add_object(self, label: str) -> None:
        self.objects += 1
        self._check(label, self.objects, MOST_OBJECTS, "arrays, groups and attributes")

    def add_array(self, label: str, size: int, chunks: int) -> None:
        self.size += size
        self.chunks += chunks
        self._check(label, self.size, LARGEST_BYTES, "bytes in its arrays")
        self._check(label, self.chunks, MOST_CHUNKS, "chunks")

    def add_texts(self, label: str, count: int) -> None:
        # a single text costs at most the file's size
        self.text_bytes += count * self.longest_text if count > 1 else 0
        self._check(label, self.text_bytes, LARGEST_TEXT_BYTES, "bytes of text")

    def _check(self, label: str, value: int, limit: int, unit: str) -> None:
        if value > limit:
            raise InputError(
                f"{self.path}: up to {label} it has {value:,} {unit}, but a file may have {limit:,}; make it smaller"
            )


def _check_tree(file: h5py.File, path: str, longest: int) -> None:
    if file.id.get_create_plist().get_sizes() != (8, 8):
        raise InputError(f"{path}: stores sizes in an unusual width; make the file again")
    totals = _Totals(path, longest)
    seen: set[int] = set()
    waiting: list[tuple[str, h5py.Group, int]] = [("", file["/"], 0)]
    _check_attributes(file, "the file itself", totals)
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
            totals.add_object(label)
            _check_attributes(item, label, totals)
            if isinstance(item, h5py.Dataset):
                _check_dataset(item, label, totals)
            elif isinstance(item, h5py.Group) and depth < _DEEPEST:
                waiting.append((label, item, depth + 1))
            else:
                raise InputError(f"{path}: {label} is neither an array nor a group of arrays; make the file again")


def _check_attributes(item: Any, label: str, totals: _Totals) -> None:
    for key in item.attrs:
        name = f"{label}, attribute {key[:_LONGEST_NAME]}"
        totals.add_object(name)
        attribute = item.attrs.get_id(key)
        _check_type(attribute.dtype, name, totals.path)
        _add_values(attribute.dtype, math.prod(attribute.shape), 0, name, totals)


def _check_type(dtype: Any, label: str, path: str) -> None:
    """Allow only numbers and text: HDF5 crashes on some damaged types."""
    if dtype.kind not in "biufS" and h5py.check_string_dtype(dtype) is None:
        raise InputError(f"{path}: {label} holds {dtype}, but numbers or text are read; make the file again")


def check_array(item: Any, label: str, path: str) -> None:
    """Raise InputError if a dataset of numbers or text is in another file, or was not written as a whole.

    For readers of parts of files that may be larger than memory.
    """
    _check_type(item.dtype, label, path)
    _check_stored(item, label, path)


def check_table(item: Any, label: str, path: str) -> None:
    """The same for a table, whose rows have named fields of numbers."""
    fields = item.dtype.names or ()
    if not fields or any(item.dtype[name].kind not in "biuf" for name in fields):
        raise InputError(f"{path}: {label} holds {item.dtype}, but fields of numbers are read; make the file again")
    _check_stored(item, label, path)


def _check_dataset(item: Any, label: str, totals: _Totals) -> None:
    _check_external(item, label, totals.path)
    _check_type(item.dtype, label, totals.path)
    _add_values(item.dtype, int(item.size or 0), _chunks(item), f"{label} {item.shape}", totals)
    _check_stored(item, label, totals.path)


def _check_external(item: Any, label: str, path: str) -> None:
    if item.external or item.is_virtual:
        raise InputError(f"{path}: {label} points to another file; make the file again")


def _check_stored(item: Any, label: str, path: str) -> None:
    """Refuse what another file holds, and what was declared but not written."""
    _check_external(item, label, path)
    size = int(item.size or 0) * int(item.id.get_type().get_size())
    # every chunk, or every byte of an array without chunks
    stored = int(item.id.get_num_chunks()) == _chunks(item) if item.chunks else int(item.id.get_storage_size()) >= size
    if size > _SMALL_BYTES and not stored:
        raise InputError(f"{path}: {label} has shape {item.shape}, but was not written as a whole; make the file again")


def _chunks(item: Any) -> int:
    return math.prod(-(-n // c) for n, c in zip(item.shape, item.chunks, strict=True)) if item.chunks else 0


def _add_values(dtype: Any, count: int, chunks: int, label: str, totals: _Totals) -> None:
    totals.add_array(label, count * max(8, int(dtype.itemsize)), chunks)
    if dtype.kind == "O":
        totals.add_texts(label, count)
