"""Data sets by name, each with its fixed split."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spikeport.common.errors import InputError
from spikeport.common.plugins import Registry
from spikeport.trainer.data.sets.cifar10_dvs import cifar10_dvs
from spikeport.trainer.data.sets.digits import digits, digits_image
from spikeport.trainer.data.sets.events import dvs_gesture, nmnist, shd, ssc
from spikeport.trainer.data.sets.fsdd import fsdd
from spikeport.trainer.data.sets.imagenet import imagenet
from spikeport.trainer.data.sets.images import cifar10, cifar100, fashion_mnist, imagenette, mnist, svhn
from spikeport.trainer.data.sets.mnist10k import mnist10k
from spikeport.trainer.data.sets.n_tidigits import n_tidigits
from spikeport.trainer.data.sets.ti46 import ti46_alpha, ti46_digits
from spikeport.trainer.settings.lookup import lookup

from .dataset import Dataset, Request, Samples

__all__ = ["ALL_DATASETS", "DATASETS", "Dataset", "Loader", "Request", "Samples", "load_dataset"]

Loader = Callable[[Request], Dataset]

_LOADERS: tuple[Loader, ...] = (
    *(digits, digits_image, fsdd, ti46_alpha, ti46_digits, mnist10k),
    *(mnist, fashion_mnist, svhn, cifar10, cifar100, imagenette, imagenet),
    *(nmnist, dvs_gesture, cifar10_dvs, shd, ssc, n_tidigits),
)
DATASETS: dict[str, Loader] = {loader.__name__: loader for loader in _LOADERS}
"""The data sets of this project."""


def _as_loader(_: str, loaded: object) -> Loader:
    if not callable(loaded):
        raise InputError(f"must be a function Request -> Dataset, not {type(loaded).__name__}")
    return loaded


ALL_DATASETS: Registry[Loader] = Registry("spikeport.datasets", DATASETS, _as_loader)
"""These and those of installed packages."""


def load_dataset(name: str, seed: int, path: str | Path | None = None, steps: int | None = None) -> Dataset:
    """The data set of that name; the seed fixes its split if it has none of its own.

    path: the file or folder of the data; by default below the folder in the environment variable SPIKEPORT_DATA;
    steps: time steps per sample for spike trains, None for the data set's default.
    Raises InputError for an unknown name, or data that are absent or broken.
    """
    return lookup("data set", name, ALL_DATASETS)(Request(seed, None if path is None else Path(path), steps))
