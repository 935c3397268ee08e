"""Reads untrusted .npy and .npz files: the size in a header is checked against the file first; creates mapped ones.

numpy would allocate whatever memory a header states.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .errors import reason

# limit of an input archive: its arrays are compressed, so a small file may expand beyond any memory
LARGEST_BYTES = 1 << 31
_HEADS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_KINDS = "biufcSU"
# of numpy 1; numpy 2 has 64
_MOST_AXES = 32


class NotWholeError(ValueError):
    """An array file is damaged; the message is a clause for use inside a sentence."""


def map_npy(path: str | Path) -> NDArray[Any]:
    """Map an .npy file, read on access; raises NotWholeError for anything else, OSError if it is missing."""
    with Path(path).open("rb") as file:
        shape, fortran, dtype = _header(file)
        start = file.tell()
        size = _size(shape, dtype)
        available = Path(path).stat().st_size - start
    if available < size:
        raise NotWholeError(f"its header promises {size} bytes, the file holds {available}")
    order = "F" if fortran else "C"
    if size == 0:
        # an array without elements cannot be mapped
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype, "r", start, shape, order)  # type: ignore[call-overload,no-any-return,unused-ignore]


def create_npy(path: str | Path, shape: tuple[int, ...], kind: type) -> NDArray[Any]:
    """A new .npy file of zeros, mapped to be written; raises OSError if the disk has no room for all of it.

    Without room reserved, a full disk would kill the process that writes into the mapped array.
    """
    values: NDArray[Any] = np.lib.format.open_memmap(path, "w+", np.dtype(kind), shape)  # type: ignore[no-untyped-call,unused-ignore]
    if hasattr(os, "posix_fallocate"):
        with Path(path).open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
    return values


def read_npz(
    path: str | Path, names: Iterable[str] | None = None, largest: float = math.inf
) -> dict[str, NDArray[Any]]:
    """Read the arrays of an .npz file, all or those in `names`; largest: bytes that they may take.

    Raises NotWholeError for anything else, KeyError for a missing name, OSError if the file is missing.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            selected = list(members) if names is None else list(names)
            if sum(members[name].file_size for name in selected) > largest:
                raise NotWholeError("it holds too much for memory; an .npy file is read as it is used")
            return {name: _member(archive, members[name]) for name in selected}
    except (NotWholeError, OSError, KeyError):
        raise
    except Exception as error:  # zipfile, zlib, lzma and bz2 raise their own, NotImplementedError and RuntimeError
        raise NotWholeError(reason(error)) from error


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as file:
        shape, fortran, dtype = _header(file)
        size = _size(shape, dtype)
        if size > info.file_size:
            raise NotWholeError(f"{info.filename} promises {size} bytes and holds {info.file_size}")
        content = file.read(size)
    if len(content) != size:
        raise NotWholeError(f"{info.filename} is truncated")
    values = np.frombuffer(bytearray(content), dtype)
    return values.reshape(shape, order="F" if fortran else "C")


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, Fortran order and type from the header; raises NotWholeError."""
    try:
        version = np.lib.format.read_magic(file)  # type: ignore[no-untyped-call,unused-ignore]
        shape, fortran, dtype = _HEADS[version](file)  # type: ignore[no-untyped-call,unused-ignore]
    except OSError:
        raise
    except Exception as error:  # a Python literal, whose parser has errors of its own
        raise NotWholeError(f"its header cannot be read: {reason(error)}") from error
    if dtype.hasobject:
        raise NotWholeError("it holds Python objects, which are not read, because they could run code")
    kinds = {dtype[name].kind for name in dtype.names} if dtype.names else {dtype.kind}
    if not kinds <= set(_KINDS):
        raise NotWholeError(f"it holds {dtype}, but arrays of numbers are read")
    if len(shape) > _MOST_AXES:
        raise NotWholeError(f"it has {len(shape)} axes; at most {_MOST_AXES} are read")
    if any(n < 0 for n in shape):
        raise NotWholeError(f"it has shape {shape}")
    return shape, fortran, dtype


def _size(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    return math.prod(shape) * dtype.itemsize
