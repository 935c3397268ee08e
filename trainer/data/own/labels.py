"""Labels of the user's own data: class names, the split by class, and evenly chosen samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Classes:
    """Labels as numbers from 0, and the name of each number."""

    numbers: Labels
    names: tuple[str, ...]


def number_classes(labels: NDArray[Any], context: str, names: tuple[str, ...] = ()) -> Classes:
    """Labels (N,), integers or text, as numbers 0 .. K - 1 in sorted order; context: used in errors.

    names: of the labels 0, 1, ...; by default the labels themselves. Raises InputError for labels of another kind.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise InputError(f"{context}: has shape {labels.shape}, but each sample has one label; give shape (samples,)")
    if labels.dtype.kind == "f":
        wrong = np.flatnonzero(~np.isfinite(labels) | (labels != np.rint(labels)))
        if len(wrong):
            raise InputError(f"{context}: label {wrong[0]} is {labels[wrong[0]]}; give whole numbers or class names")
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "biuSU":
        raise InputError(f"{context}: labels are {labels.dtype}; give whole numbers or class names")
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8")
    values, numbers = _sorted(labels)
    if len(values) < 2:
        raise InputError(
            f"{context}: all labels are {values[0] if len(values) else 'missing'}; give two classes or more"
        )
    if not names:
        return Classes(numbers.astype(np.int64), tuple(str(value) for value in values))
    if labels.dtype.kind not in "biu" or values[0] < 0 or values[-1] >= len(names):
        raise InputError(
            f"{context}: has labels {values[0]} to {values[-1]}, but class names for 0 to {len(names) - 1}"
        )
    return Classes(labels.astype(np.int64), names)


def _sorted(labels: NDArray[Any]) -> tuple[NDArray[Any], Labels]:
    """The distinct labels in order, names of digits by their number, and the place of each label among them."""
    values, numbers = np.unique(labels, return_inverse=True)
    if labels.dtype.kind == "U" and all(value.isdecimal() for value in values):
        order = sorted(range(len(values)), key=lambda n: int(values[n]))
        return values[order], np.argsort(order)[numbers]
    return values, numbers


def split_by_class(labels: Labels, share: float, seed: int, names: tuple[str, ...]) -> tuple[Labels, Labels]:
    """Indices of the training and the test part, drawn from the seed: of each class `share` samples, at least one.

    Raises InputError for a class with a single sample.
    """
    generator = np.random.default_rng(seed)
    parts: tuple[list[Labels], list[Labels]] = ([], [])
    for number, name in enumerate(names):
        index = generator.permutation(np.flatnonzero(labels == number))
        if len(index) == 1:
            raise InputError(f"class {name!r} has one sample, which cannot be in both parts; add some, or remove it")
        count = min(max(1, round(share * len(index))), len(index) - 1)
        parts[0].append(index[count:])
        parts[1].append(index[:count])
    train, test = (np.sort(np.concatenate(part)).astype(np.int64) for part in parts)
    return train, test


def first_of_each(labels: Labels, limit: int) -> Labels:
    """Indices of at most `limit` samples, the first of each class in turn; 0: all."""
    if limit == 0 or limit >= len(labels):
        return np.arange(len(labels))
    rank = np.empty(len(labels), np.int64)
    for number in np.unique(labels):
        of_class = np.flatnonzero(labels == number)
        rank[of_class] = np.arange(len(of_class))
    return np.sort(np.lexsort((labels, rank))[:limit])


def check_same_classes(train: Labels, test: Labels, names: tuple[str, ...], context: str) -> None:
    """Raise InputError for a class that only the test part has."""
    only = sorted(set(test.tolist()) - set(train.tolist()))
    if only:
        raise InputError(
            f"{context}: class {names[only[0]]!r} is in the test part only; add training samples of it, or remove it"
        )
