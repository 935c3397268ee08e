"""Data sets by name, each with its fixed split."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..lookup import lookup
from .dataset import Dataset
from .digits import digits, digits_image
from .fsdd import fsdd
from .mnist10k import mnist10k

__all__ = ["DATASETS", "Dataset", "Loader", "load_dataset"]

Loader = Callable[[int, Path | None], Dataset]

DATASETS: dict[str, Loader] = {loader.__name__: loader for loader in (digits, digits_image, fsdd, mnist10k)}


def load_dataset(name: str, seed: int, path: str | Path | None = None) -> Dataset:
    """The data set of that name; the seed fixes its split where it has none of its own.

    path: the file or folder that holds it; without, it is sought below the folder in the environment variable
    SPIKEPORT_DATA. Raises InputError for an unknown name, or data that are absent or broken.
    """
    return lookup("data set", name, DATASETS)(seed, None if path is None else Path(path))
