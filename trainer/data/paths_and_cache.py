"""Paths of external data sets, and the cache of arrays computed from them."""

from __future__ import annotations

import hashlib
import importlib
import os
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.arrays import read_arrays, save_arrays
from spikeport.common.errors import InputError, reason
from spikeport.common.files import replacing

DATA = "SPIKEPORT_DATA"
CACHE = "SPIKEPORT_CACHE"

# raised by libraries for broken files
UNREADABLE = (OSError, RuntimeError, ValueError, LookupError, EOFError, AttributeError, zlib.error, zipfile.BadZipFile)

Arrays = dict[str, NDArray[Any]]


def find_data(dataset: str, path: Path | None, below: str) -> Path:
    """The file or folder of a data set: `path`, or `below` in the folder named by SPIKEPORT_DATA.

    Raises InputError if neither is given or it does not exist.
    """
    root = os.environ.get(DATA)
    if path is None and not root:
        raise InputError(
            f'data set {dataset!r} does not come with the project; set its location with data = "PATH" in the recipe, '
            f"or set the environment variable {DATA} to the folder that holds {below}"
        )
    source = path if path is not None else Path(str(root)) / below
    if not source.exists():
        raise InputError(
            f'{source}: does not exist; set the location of {dataset!r} with data = "PATH" in the recipe or {DATA}'
        )
    return source


def cache_folder() -> Path:
    """The cache folder: SPIKEPORT_CACHE, or spikeport below the user's cache folder."""
    own = os.environ.get(CACHE)
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spikeport"


def cached(name: str, names: tuple[str, ...], make: Callable[[], Arrays]) -> Arrays:
    """The arrays `names` of the cache's NAME.npz; if it is missing or broken, computed and stored.

    name: must change with everything the arrays depend on. A cache that cannot be written only causes a warning.
    """
    path = cache_folder() / f"{name}.npz"
    try:
        return read_arrays(path, *names)
    except InputError:
        arrays = make()
    try:
        save_arrays(path, arrays)
    except InputError as error:
        warnings.warn(f"nothing is kept for the next time: {error}; {CACHE} sets another folder", stacklevel=2)
    return arrays


def download_folder(dataset: str, path: Path | None) -> Path:
    """The folder to download a data set into: `path`, or the one named by SPIKEPORT_DATA; raises InputError."""
    root = os.environ.get(DATA)
    if path is None and not root:
        raise InputError(
            f'data set {dataset!r} is downloaded; set the folder with data = "FOLDER" in the recipe or the environment '
            f"variable {DATA}"
        )
    folder = path if path is not None else Path(str(root))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be used to download {dataset!r} into ({reason(error)})") from error
    return folder


def data_library(name: str, dataset: str) -> Any:
    """The library torchvision or tonic, imported only when its data are needed; raises InputError if not installed."""
    return import_library(f"{name}.datasets", f"data set {dataset!r}")


def import_library(module: str, context: str) -> Any:
    """A module needed only to read `context`; raises InputError if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"{context} is read by {module.partition('.')[0]}, which is not installed ({reason(error)}); "
            'install it with pip install "spikeport[data]"'
        ) from error


@contextmanager
def library_errors(dataset: str, folder: Path) -> Iterator[None]:
    """Turn a library's errors while downloading or reading a data set into InputError."""
    try:
        yield
    except InputError:
        raise
    except UNREADABLE as error:
        raise InputError(
            f"{folder}: data set {dataset!r} cannot be downloaded or read ({reason(error)}); "
            "check the connection, or remove what is there and try again"
        ) from error


def file_states(files: Iterable[Path]) -> list[tuple[str, int, int]]:
    """Name, size and modification time of every file, for the cache key of arrays computed from them."""
    return [(str(file), (stat := file.stat()).st_size, stat.st_mtime_ns) for file in files]


def stacked(
    name: str, key: str, samples: Iterable[NDArray[Any]], shape: tuple[int, ...], dtype: type[np.generic]
) -> NDArray[Any]:
    """Samples of one shape as one array that stays on disk (memory-mapped), computed once and kept in the cache.

    samples: read only if the cache has no such array; shape: of the result, (N, *sample shape). Raises InputError if
    the cache cannot be written: these data are too large for memory.
    """
    path = cache_folder() / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:20]}.npy"
    mapped = _mapped(path, shape, dtype)
    if mapped is None:
        with replacing(path) as temporary:
            array = np.lib.format.open_memmap(temporary, "w+", dtype, shape)  # type: ignore[no-untyped-call]
            for row, sample in zip(array, samples, strict=True):
                row[...] = sample
            array.flush()
        mapped = _mapped(path, shape, dtype)
    assert mapped is not None
    return mapped


def _mapped(path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any] | None:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return array if (array.shape, array.dtype) == (shape, np.dtype(dtype)) else None
