"""Archives of arrays (.npz): written whole, read without executing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
from numpy.typing import NDArray

from .deflate import Deflate, deflating
from .errors import InputError, reason
from .files import replacing
from .npy import NotWholeError, read_npz


@dataclass(frozen=True)
class Blocks:
    """An array in pieces that follow each other along its first axis, or make up its rows; read as it is written."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    pieces: Callable[[], Iterable[NDArray[Any]]]


# a fifth of the time of level 6; spike counts get a third larger, states stay as large
_LEVEL = 1


def save_arrays(path: str | Path, arrays: Mapping[str, NDArray[Any] | Blocks], threads: int = 1) -> None:
    """Write an .npz file at once; raises InputError if it cannot be written.

    The same numbers give the same bytes for any number of compressing threads.
    Not numpy.savez: on a full disk it leaves a broken archive open, which raises again when it is discarded.
    """
    with replacing(path) as temporary, deflating(threads) as pool:
        archive = ZipFile(temporary, "w", ZIP_DEFLATED)
        try:
            for name, values in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    # zipfile offers no other way to set a compressor
                    member._compressor = Deflate(pool, threads, _LEVEL)  # type: ignore[attr-defined]
                    _write(member, values)
            archive.close()
        except OSError:
            archive.fp = None
            raise


def save_array(path: str | Path, array: NDArray[Any]) -> None:
    """Write an .npy file at once; raises InputError if it cannot be written."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, np.ascontiguousarray(array))


def _write(member: IO[bytes], values: NDArray[Any] | Blocks) -> None:
    if not isinstance(values, Blocks):
        np.lib.format.write_array(  # type: ignore[no-untyped-call,unused-ignore]
            member, np.asanyarray(values), allow_pickle=False
        )
        return
    descr = np.lib.format.dtype_to_descr(values.dtype)  # type: ignore[no-untyped-call,unused-ignore]
    header = {"descr": descr, "fortran_order": False, "shape": values.shape}
    np.lib.format.write_array_header_1_0(member, header)  # type: ignore[no-untyped-call,unused-ignore]
    for piece in values.pieces():
        member.write(np.ascontiguousarray(piece, dtype=values.dtype).data)


def read_arrays(path: str | Path, *names: str) -> dict[str, NDArray[Any]]:
    """Read the named arrays of an .npz file; raises InputError if it is missing, truncated or lacks one."""
    try:
        return read_npz(path, names)
    except KeyError as error:
        raise InputError(f"{path}: has no array {error}; it must hold {', '.join(names)}") from error
    except FileNotFoundError as error:
        raise InputError(f"{path}: does not exist; check the path") from error
    except (OSError, NotWholeError) as error:
        raise InputError(f"{path}: is truncated or not an .npz file ({reason(error)}); fetch it again") from error
