"""Data sets by name, each with its fixed split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hardware_profiles.errors import InputError

from .lookup import lookup


@dataclass(frozen=True)
class Dataset:
    """Images in [0, 1] with labels, split into training and test.

    x_train, x_test: float32 (N, *input_shape); y_train, y_test: int64 (N,), 0 .. classes - 1.
    Raises InputError if these do not agree.
    """

    x_train: NDArray[np.float32]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.int64]
    input_shape: tuple[int, ...]
    classes: int
    name: str

    def __post_init__(self) -> None:
        for part, x, y in (("training", self.x_train, self.y_train), ("test", self.x_test, self.y_test)):
            if len(x) == 0 or len(x) != len(y):
                raise InputError(f"{self.name}: the {part} part has {len(x)} samples and {len(y)} labels")
            if x.shape[1:] != self.input_shape:
                raise InputError(f"{self.name}: {part} samples have shape {x.shape[1:]}, not {self.input_shape}")
            if y.min() < 0 or y.max() >= self.classes:
                raise InputError(f"{self.name}: the {part} part has labels outside 0 to {self.classes - 1}")


DIGITS_TEST_SAMPLES = 360


def digits(seed: int) -> Dataset:
    """scikit-learn's embedded 8 x 8 digits as 64 features: 1437 to train, 360 to test, stratified by class.

    Source: Alpaydin & Kaynak, Optical Recognition of Handwritten Digits, UCI repository, 1998 (its test part).
    """
    return _digits("digits", (64,), seed)


def digits_image(seed: int) -> Dataset:
    """The same digits, in the same split, as images (1, 8, 8)."""
    return _digits("digits_image", (1, 8, 8), seed)


DATASETS: dict[str, Callable[[int], Dataset]] = {"digits": digits, "digits_image": digits_image}


def load_dataset(name: str, seed: int) -> Dataset:
    """The data set of that name, its split fixed by the seed; raises InputError for an unknown name."""
    return lookup("data set", name, DATASETS)(seed)


def _digits(name: str, shape: tuple[int, ...], seed: int) -> Dataset:
    # imported here: scikit-learn takes a second to load and only this data set needs it
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    images = (bunch.data / 16).astype(np.float32).reshape(-1, *shape)
    labels = bunch.target.astype(np.int64)
    x_train, x_test, y_train, y_test = train_test_split(
        images, labels, test_size=DIGITS_TEST_SAMPLES, stratify=labels, random_state=seed
    )
    return Dataset(x_train, y_train, x_test, y_test, shape, 10, name)
