"""What every HDF5 file is asked before its numbers are read: that it is whole in itself and no larger than it looks."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Any

import h5py

from .errors import InputError

# what a file's arrays may take in memory, all together, as numbers of 8 bytes
LARGEST_BYTES = 1 << 31
# no filter of HDF5 packs more than this, and a small array may have been left unwritten
_PACKED, _SMALL_BYTES = 1100, 1 << 20
_DEEPEST, _LONGEST_NAME = 64, 1000
_HEAP, _HEAP_HEAD, _HEAP_ENTRY = b"GCOL", struct.Struct("<8xQ"), struct.Struct("<H6xQ")


def check_self_contained(file: h5py.File, path: str) -> None:
    """Raises InputError for what could read other files, never end, or take more memory than the file is worth.

    That is: a link, an external or virtual dataset, an object that is in two places (a group within itself has no
    end), values that are neither numbers nor text, and arrays that are huge or that the file does not hold.
    """
    _check_heaps(Path(file.filename), path)
    if file.id.get_create_plist().get_sizes() != (8, 8):
        raise InputError(f"{path}: counts its bytes in an unusual width; make the file again")
    seen: set[int] = set()
    total = 0
    waiting: list[tuple[str, h5py.Group, int]] = [("", file["/"], 0)]
    _check_attributes(file, "its head", path)
    while waiting:
        name, group, depth = waiting.pop()
        for key in group:
            where = f"{name}/{key}".lstrip("/")
            if len(where) > _LONGEST_NAME:
                raise InputError(f"{path}: a name has {len(where)} characters ({where[:40]} ...); make the file again")
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise InputError(f"{path}: {where} is a link to another place; make the file again without links")
            item = group[key]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                raise InputError(f"{path}: {where} is in the file twice; make the file again without links")
            seen.add(address)
            _check_attributes(item, where, path)
            if isinstance(item, h5py.Dataset):
                total += _bytes_of(item, where, path)
                if total > LARGEST_BYTES:
                    raise InputError(f"{path}: {where} has shape {item.shape}, more than can be read; make it smaller")
            elif isinstance(item, h5py.Group) and depth < _DEEPEST:
                waiting.append((where, item, depth + 1))
            else:
                raise InputError(f"{path}: {where} is no array and no group of arrays; make the file again")


def _check_attributes(item: Any, where: str, path: str) -> None:
    for key in item.attrs:
        _check_type(item.attrs.get_id(key).dtype, f"{where}, attribute {key[:_LONGEST_NAME]}", path)


def _check_type(dtype: Any, where: str, path: str) -> None:
    """Only numbers and text: HDF5 does not survive the reading of every damaged type."""
    if dtype.kind not in "biufS" and h5py.check_string_dtype(dtype) is None:
        raise InputError(f"{path}: {where} holds {dtype}, but numbers or text are read; make the file again")


def _check_heaps(file: Path, path: str) -> None:
    """Refuse a heap of texts whose entries do not add up, over which HDF5 (1.14) loops without end.

    HDF5 file format specification 3.0, section III.E: signature, version, 3 bytes, size of the heap; then entries of
    index, count of references, 4 bytes, size, and as many bytes rounded up to 8; index 0 is the free space at the end.
    """
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        begin = content.find(_HEAP)
        while begin >= 0:
            if not _adds_up(content, begin):
                raise InputError(f"{path}: is damaged (a heap of texts at byte {begin}); make the file again")
            begin = content.find(_HEAP, begin + len(_HEAP))


def _adds_up(content: mmap.mmap, begin: int) -> bool:
    head = _HEAP_HEAD.unpack_from(content, begin) if begin + _HEAP_HEAD.size <= len(content) else (0,)
    end = begin + head[-1]
    if not begin + _HEAP_HEAD.size <= end <= len(content):
        return False
    place = begin + _HEAP_HEAD.size
    while place + _HEAP_ENTRY.size <= end:
        index, size = _HEAP_ENTRY.unpack_from(content, place)
        if index == 0:
            return int(size) == int(end) - place
        place += _HEAP_ENTRY.size + (size + 7) // 8 * 8
    return int(place) <= int(end)


def _bytes_of(item: Any, where: str, path: str) -> int:
    """What a dataset takes in memory."""
    if item.external or item.is_virtual:
        raise InputError(f"{path}: {where} points to another file; make the file again")
    _check_type(item.dtype, where, path)
    size = int(item.size or 0) * max(8, int(item.dtype.itemsize))
    if size > _SMALL_BYTES and int(item.id.get_storage_size()) * _PACKED < size:
        raise InputError(f"{path}: {where} has shape {item.shape}, but the file holds less; make the file again")
    return size
