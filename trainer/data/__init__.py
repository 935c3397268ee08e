"""Data sets by name, each with its fixed split."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spikeport.common.errors import InputError
from spikeport.common.plugins import Registry
from spikeport.trainer.data.own.files import files
from spikeport.trainer.data.sets.cifar10_dvs import cifar10_dvs
from spikeport.trainer.data.sets.digits import digits, digits_image
from spikeport.trainer.data.sets.events import dvs_gesture, nmnist, shd, ssc
from spikeport.trainer.data.sets.fsdd import fsdd
from spikeport.trainer.data.sets.imagenet import imagenet
from spikeport.trainer.data.sets.images import cifar10, cifar100, fashion_mnist, imagenette, mnist, svhn
from spikeport.trainer.data.sets.made import friedman, switching
from spikeport.trainer.data.sets.mnist10k import mnist10k
from spikeport.trainer.data.sets.n_tidigits import n_tidigits
from spikeport.trainer.data.sets.ti46 import ti46_alpha, ti46_digits
from spikeport.trainer.settings.lookup import lookup

from .dataset import Dataset, Request, Samples
from .file_options import FileOptions

__all__ = [
    "ALL_DATASETS",
    "DATASETS",
    "Dataset",
    "FileOptions",
    "Loader",
    "Request",
    "Samples",
    "check_dataset_name",
    "load_dataset",
    "register_dataset",
]

DEFAULT_FILES = FileOptions()

Loader = Callable[[Request], Dataset]

_LOADERS: tuple[Loader, ...] = (
    *(digits, digits_image, fsdd, ti46_alpha, ti46_digits, mnist10k),
    *(mnist, fashion_mnist, svhn, cifar10, cifar100, imagenette, imagenet),
    *(friedman, switching),
    *(nmnist, dvs_gesture, cifar10_dvs, shd, ssc, n_tidigits),
    files,
)
DATASETS: dict[str, Loader] = {loader.__name__: loader for loader in _LOADERS}
"""The data sets of this project."""


def _as_loader(_: str, loaded: object) -> Loader:
    if not callable(loaded):
        raise InputError(f"must be a function Request -> Dataset, not {type(loaded).__name__}")
    return loaded


ALL_DATASETS: Registry[Loader] = Registry("spikeport.datasets", DATASETS, _as_loader)
"""These and those of installed packages."""


def load_dataset(
    name: str,
    seed: int,
    path: str | Path | None = None,
    steps: int | None = None,
    *,
    encoding: str = "",
    files: FileOptions = DEFAULT_FILES,
) -> Dataset:
    """The data set of that name; the seed fixes its split if it has none of its own.

    path: the file or folder of the data; by default below the folder in the environment variable SPIKEPORT_DATA;
    steps: time steps per sample for spike trains, None for the data set's default; encoding: of the recipe; files: how
    the user's own files are read (data set "files").
    Raises InputError for an unknown name, or data that are absent or broken.
    """
    request = Request(seed, None if path is None else Path(path), steps, encoding, files)
    if name in _registered:
        return _registered[name](request)
    return lookup("data set", name, ALL_DATASETS)(request)


def check_dataset_name(name: str) -> None:
    """Raise InputError, with the nearest name, unless there is such a data set."""
    if name not in _registered:
        lookup("data set", name, ALL_DATASETS)


_registered: dict[str, Loader] = {}


def register_dataset(name: str, data: Dataset | Loader) -> None:
    """Let recipes of this process use data by a name: a data set, or a function Request -> Dataset.

    Registering a name again replaces it. Raises InputError for the name of a data set that exists.
    """
    if name in ALL_DATASETS:
        raise InputError(f"there is a data set {name!r} already; choose another name")
    if not isinstance(data, Dataset) and not callable(data):
        raise InputError(
            f"data set {name!r} must be a Dataset or a function Request -> Dataset, not {type(data).__name__}"
        )
    _registered[name] = (lambda _: data) if isinstance(data, Dataset) else data
