"""Images that torchvision downloads and reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.trainer.data.dataset import Dataset, Request
from spikeport.trainer.data.paths_and_cache import data_library, download_folder, library_errors, stacked
from spikeport.trainer.data.readers.image_files import middle_square

IMAGENETTE_SIDE = 64


def mnist(request: Request) -> Dataset:
    """MNIST, (1, 28, 28): 60000 to train, 10000 to test. See `load_dataset` for the request and errors."""
    return _whole("mnist", "MNIST", 10, request)


def fashion_mnist(request: Request) -> Dataset:
    """Fashion-MNIST, ten kinds of clothing, (1, 28, 28): 60000 to train, 10000 to test.

    Source: Xiao, Rasul & Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms,
    arXiv:1708.07747, 2017.
    """
    return _whole("fashion_mnist", "FashionMNIST", 10, request)


def svhn(request: Request) -> Dataset:
    """House numbers (SVHN), the digit in the middle, (3, 32, 32): 73257 to train, 26032 to test.

    Source: Netzer et al., Reading digits in natural images with unsupervised feature learning, NIPS workshop on deep
    learning, 2011.
    """
    datasets = data_library("torchvision", "svhn")
    folder = download_folder("svhn", request.path)
    with library_errors("svhn", folder):
        train, test = (datasets.SVHN(folder, split, download=True) for split in ("train", "test"))
    (x_train, y_train), (x_test, y_test) = ((_scaled(p.data), np.asarray(p.labels, np.int64)) for p in (train, test))
    return Dataset(x_train, y_train, x_test, y_test, x_train.shape[1:], 10, "svhn")


def cifar10(request: Request) -> Dataset:
    """CIFAR-10, (3, 32, 32): 50000 to train, 10000 to test.

    Source: Krizhevsky, Learning multiple layers of features from tiny images, technical report, 2009.
    """
    return _whole("cifar10", "CIFAR10", 10, request)


def cifar100(request: Request) -> Dataset:
    """CIFAR-100 with its 100 fine classes, (3, 32, 32): 50000 to train, 10000 to test. Source: as CIFAR-10."""
    return _whole("cifar100", "CIFAR100", 100, request)


def imagenette(request: Request) -> Dataset:
    """Ten easy classes of ImageNet, the middle square of each image at (3, 64, 64): 9469 to train, 3925 to test.

    Source: fastai, Imagenette (160 px), github.com/fastai/imagenette.
    """
    datasets = data_library("torchvision", "imagenette")
    folder = download_folder("imagenette", request.path)
    parts = []
    with library_errors("imagenette", folder):
        for split in ("train", "val"):
            # torchvision refuses to download again
            exists = (folder / "imagenette2-160").exists()
            images = datasets.Imagenette(folder, split, "160px", download=not exists)
            y = np.array([label for _, label in images._samples], np.int64)
            shape = (len(y), 3, IMAGENETTE_SIDE, IMAGENETTE_SIDE)
            key = repr([(path, Path(path).stat().st_size) for path, _ in images._samples])
            parts.append((stacked(f"imagenette-{split}", key, _squares(images), shape, np.float32), y))
    (x_train, y_train), (x_test, y_test) = parts
    return Dataset(x_train, y_train, x_test, y_test, x_train.shape[1:], 10, "imagenette")


def _whole(name: str, torchvision_name: str, classes: int, request: Request) -> Dataset:
    datasets = data_library("torchvision", name)
    folder = download_folder(name, request.path)
    with library_errors(name, folder):
        parts = [getattr(datasets, torchvision_name)(folder, train, download=True) for train in (True, False)]
    (x_train, y_train), (x_test, y_test) = (_channels_first(part) for part in parts)
    return Dataset(x_train, y_train, x_test, y_test, x_train.shape[1:], classes, name)


def _channels_first(part: Any) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    pixels = np.asarray(part.data)
    images = pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)
    return _scaled(images), np.asarray(part.targets, np.int64)


def _scaled(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = np.ascontiguousarray(pixels, np.float32) / np.float32(255)
    return scaled


def _squares(images: Any) -> Iterator[NDArray[np.float32]]:
    for image, _ in images:
        yield middle_square(image, IMAGENETTE_SIDE)
