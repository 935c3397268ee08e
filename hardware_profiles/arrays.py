"""Archives of arrays (.npz): written whole, read without executing anything."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
from numpy.typing import NDArray

from .errors import InputError, reason
from .files import replacing


def save_arrays(path: str | Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an .npz file at once; raises InputError if it cannot be written.

    numpy.savez leaves a broken archive open when the disk is full, which then complains again while it is discarded.
    """
    with replacing(path) as temporary:
        archive = ZipFile(temporary, "w", ZIP_DEFLATED)
        try:
            for name, values in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(  # type: ignore[no-untyped-call,unused-ignore]
                        member, np.asanyarray(values), allow_pickle=False
                    )
            archive.close()
        except OSError:
            archive.fp = None
            raise


def read_arrays(path: str | Path, *names: str) -> dict[str, NDArray[Any]]:
    """The arrays of these names in an .npz file; raises InputError if it is missing, truncated or lacks one."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: np.asarray(file[name]) for name in names}
    except KeyError as error:
        raise InputError(f"{path}: has no array {error}; it must hold {', '.join(names)}") from error
    except FileNotFoundError as error:
        raise InputError(f"{path}: does not exist; check the path") from error
    except (OSError, ValueError, TypeError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: is truncated or no .npz file ({reason(error)}); fetch it again") from error
