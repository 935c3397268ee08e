"""Where data lie that the project does not bring, and where what was computed from them is kept."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from hardware_profiles.arrays import read_arrays, save_arrays
from hardware_profiles.errors import InputError

DATA = "SPIKEPORT_DATA"
CACHE = "SPIKEPORT_CACHE"

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
