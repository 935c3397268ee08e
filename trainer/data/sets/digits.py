"""scikit-learn's embedded digits."""

from __future__ import annotations

import numpy as np

from spikeport.trainer.data.dataset import Dataset, Request

TEST_SAMPLES = 360


def digits(request: Request) -> Dataset:
    """scikit-learn's embedded 8 x 8 digits as 64 features: 1437 to train, 360 to test, stratified by class.

    Source: Alpaydin & Kaynak, Optical Recognition of Handwritten Digits, UCI repository, 1998 (its test part).
    """
    return _digits("digits", (64,), request.seed)


def digits_image(request: Request) -> Dataset:
    """The same digits, in the same split, as images (1, 8, 8)."""
    return _digits("digits_image", (1, 8, 8), request.seed)


def _digits(name: str, shape: tuple[int, ...], seed: int) -> Dataset:
    # imported here: scikit-learn takes a second to load and only this data set needs it
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    images = (bunch.data / 16).astype(np.float32).reshape(-1, *shape)
    labels = bunch.target.astype(np.int64)
    x_train, x_test, y_train, y_test = train_test_split(
        images, labels, test_size=TEST_SAMPLES, stratify=labels, random_state=seed
    )
    return Dataset(x_train, y_train, x_test, y_test, shape, 10, name)
