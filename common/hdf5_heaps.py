"""Checks the heaps of an HDF5 file, which hold its texts, before HDF5 reads them.

HDF5 file format specification 3.0, section III.E: signature, version, 3 bytes, size of the heap; then entries of
index, count of references, 4 bytes, size, and that many bytes rounded up to 8; index 0 is the free space at the end.
"""

from __future__ import annotations

import mmap
import struct
from typing import TypeAlias

from .errors import InputError

_SIGNATURE, _HEAD, _ENTRY = b"GCOL", struct.Struct("<8xQ"), struct.Struct("<H6xQ")


Content: TypeAlias = "mmap.mmap | bytes"
"""A file's bytes."""


def longest_text(content: Content, path: str) -> int:
    """Bytes of the longest text in any heap.

    Raises InputError for a heap with inconsistent sizes, on which HDF5 (1.14) loops forever.
    """
    longest = 0
    start = content.find(_SIGNATURE, 0)
    while start >= 0:
        longest_here = _longest_entry(content, start)
        if longest_here is None:
            raise InputError(f"{path}: is damaged (a string heap at byte {start}); make the file again")
        longest = max(longest, longest_here)
        start = content.find(_SIGNATURE, start + len(_SIGNATURE))
    return longest


def _longest_entry(content: Content, start: int) -> int | None:
    """Bytes of the longest entry of the heap at `start`, None if its sizes do not add up."""
    head = _HEAD.unpack_from(content, start) if start + _HEAD.size <= len(content) else (0,)
    stop = start + int(head[-1])
    if not start + _HEAD.size <= stop <= len(content):
        return None
    longest, position = 0, start + _HEAD.size
    while position + _ENTRY.size <= stop:
        index, size = _ENTRY.unpack_from(content, position)
        if index == 0:
            return longest if int(size) == stop - position else None
        longest = max(longest, int(size))
        position += _ENTRY.size + (int(size) + 7) // 8 * 8
    return longest if position <= stop else None
