"""Where data lie that the project does not bring, and where what was computed from them is kept."""

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

# what libraries raise at broken files
UNREADABLE = (OSError, RuntimeError, ValueError, LookupError, EOFError, AttributeError, zlib.error, zipfile.BadZipFile)

Arrays = dict[str, NDArray[Any]]


def locate(dataset: str, path: Path | None, below: str) -> Path:
    """The file or folder a data set lies in: `path`, or `below` under the folder that SPIKEPORT_DATA names.

    Raises InputError if neither is given or nothing lies there.
    """
    root = os.environ.get(DATA)
    if path is None and not root:
        raise InputError(
            f'data set {dataset!r} does not come with the project; say where it lies with data = "PATH" in the recipe, '
            f"or set the environment variable {DATA} to the folder that holds {below}"
        )
    found = path if path is not None else Path(str(root)) / below
    if not found.exists():
        raise InputError(f'{found}: does not exist; data = "PATH" in the recipe or {DATA} says where {dataset!r} lies')
    return found


def cache_folder() -> Path:
    """The folder of what was computed: SPIKEPORT_CACHE, or spikeport below the user's cache folder."""
    own = os.environ.get(CACHE)
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spikeport"


def cached(name: str, names: tuple[str, ...], make: Callable[[], Arrays]) -> Arrays:
    """The arrays `names` of the cache's NAME.npz; if it is not there or broken, made and kept.

    name: must change with whatever the arrays depend on. A cache that cannot be written costs a warning, no more.
    """
    path = cache_folder() / f"{name}.npz"
    try:
        return read_arrays(path, *names)
    except InputError:
        arrays = make()
    try:
        save_arrays(path, arrays)
    except InputError as error:
        warnings.warn(f"nothing is kept for the next time: {error}; {CACHE} names another folder", stacklevel=2)
    return arrays


def download_folder(dataset: str, path: Path | None) -> Path:
    """The folder to download a data set into: `path`, or the one SPIKEPORT_DATA names; raises InputError."""
    root = os.environ.get(DATA)
    if path is None and not root:
        raise InputError(
            f'data set {dataset!r} is downloaded; say where to with data = "FOLDER" in the recipe or the environment '
            f"variable {DATA}"
        )
    folder = path if path is not None else Path(str(root))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: is no folder to download {dataset!r} into ({reason(error)})") from error
    return folder


def data_library(name: str, dataset: str) -> Any:
    """The library torchvision or tonic, imported only where its data are wanted; raises InputError if not installed."""
    return library(f"{name}.datasets", f"data set {dataset!r}")


def library(module: str, what: str) -> Any:
    """A module that only the reading of `what` needs; raises InputError if it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"{what} is read by {module.partition('.')[0]}, which is not installed ({reason(error)}); "
            'install it with pip install "spikeport[data]"'
        ) from error


@contextmanager
def reading(dataset: str, folder: Path) -> Iterator[None]:
    """Turns what goes wrong while a library downloads or reads a data set into one sentence; raises InputError."""
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
    """Name, size and time of every file: what is made of them depends on it."""
    return [(str(file), (stat := file.stat()).st_size, stat.st_mtime_ns) for file in files]


def stacked(
    name: str, key: str, samples: Iterable[NDArray[Any]], shape: tuple[int, ...], dtype: type[np.generic]
) -> NDArray[Any]:
    """Samples of one shape as one array that stays on disk (memory-mapped), made once and kept in the cache.

    samples: read only if the cache has no such array; shape: of all, (N, *sample shape). Raises InputError if the
    cache cannot be written: these data are too large for memory.
    """
    path = cache_folder() / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:20]}.npy"
    kept = _mapped(path, shape, dtype)
    if kept is None:
        with replacing(path) as temporary:
            array = np.lib.format.open_memmap(temporary, "w+", dtype, shape)  # type: ignore[no-untyped-call]
            for place, sample in zip(array, samples, strict=True):
                place[...] = sample
            array.flush()
        kept = _mapped(path, shape, dtype)
    assert kept is not None
    return kept


def _mapped(path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any] | None:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return array if (array.shape, array.dtype) == (shape, np.dtype(dtype)) else None
