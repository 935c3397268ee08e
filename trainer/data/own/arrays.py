"""Arrays in files: .npz, folders of .npy files, and HDF5, larger than memory or not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError, reason
from spikeport.common.hdf5 import check_array
from spikeport.common.npy import NotWholeError, map_npy, read_npz
from spikeport.trainer.data.dataset import Dataset, Request
from spikeport.trainer.data.readers.stored_rows import StoredRows, read_rows

from .labels import check_same_classes, first_of_each, number_classes, split_by_class
from .samples import Form, Range, form_of, from_memory
from .targets import outputs_of, read_targets, split_at_random

# bytes of float32 samples that are read into memory at once
MOST_IN_MEMORY = 1 << 30
_READ_ROWS_BYTES = 64 << 20
SPLIT = ("x_train", "y_train", "x_test", "y_test")
WHOLE = ("x", "y")
_NAMES = ("class_names", "classes")


# samples, the rows that belong to the part, and their targets
_Part = tuple["StoredArray", NDArray[np.int64], NDArray[Any]]


@dataclass(frozen=True)
class StoredArray:
    """An array of a file, not read yet: path, and key in an HDF5 file, or values in memory."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    path: Path
    key: str = ""
    values: NDArray[Any] | None = None

    @classmethod
    def of(cls, source: str | Path, name: str, values: NDArray[Any]) -> StoredArray:
        """An array in memory; source: where it is from, for errors."""
        return cls(name, values.shape, values.dtype, Path(source), name, values)

    def read(self, rows: NDArray[np.int64] | slice) -> NDArray[Any]:
        """Rows in rising order; raises InputError."""
        return self.values[rows] if self.values is not None else read_rows(self.path, self.key, rows)


def array_files(path: Path, request: Request) -> Dataset:
    """x_train, y_train, x_test, y_test, or x, y with a split drawn from the seed; raises InputError.

    x: images (N, H, W), (N, C, H, W) or (N, H, W, C), or features (N, F), in [0, 1] or bytes; with the encoding
    "spikes" spike trains (N, steps, ...) of 0 and 1, or series of real numbers (N, T, ...). y: (N,) whole numbers or
    names. class_names: the names of the labels 0, 1, ... Samples of more than 1 GiB stay in their file.
    """
    request.files.check_for("arrays")
    return dataset_of_arrays(path, _open(path), request)


def dataset_of_arrays(path: Path | str, arrays: Mapping[str, StoredArray], request: Request) -> Dataset:
    """A data set from arrays by name; path: where they are from, for errors. Raises InputError."""
    if request.files.targets != "class":
        return _with_targets(path, arrays, request)
    names = () if (stored := next((arrays[n] for n in _NAMES if n in arrays), None)) is None else _texts(stored)
    if all(name in arrays for name in SPLIT):
        x_train, y_train, x_test, y_test = (arrays[name] for name in SPLIT)
        labels = _labels(x_train, y_train), _labels(x_test, y_test)
        numbered = number_classes(np.concatenate(labels), f"{path}: y_train and y_test", names)
        y, count = numbered.numbers, len(labels[0])
        parts = (x_train, np.arange(count), y[:count]), (x_test, np.arange(len(y) - count), y[count:])
    elif all(name in arrays for name in WHOLE):
        x = arrays["x"]
        numbered = number_classes(_labels(x, arrays["y"]), f"{path}: y", names)
        y = numbered.numbers
        train, test = split_by_class(y, request.files.test, request.seed, numbered.names)
        parts = (x, train, y[train]), (x, test, y[test])
    else:
        raise InputError(
            f"{path}: holds {', '.join(arrays) or 'no arrays'}; needed are x_train, y_train, x_test, y_test, or x, y"
        )
    return _dataset(path, parts, numbered.names, request)


def _with_targets(path: Path | str, arrays: Mapping[str, StoredArray], request: Request) -> Dataset:
    """As dataset_of_arrays, for targets that are not one class per sample."""
    kind, options = request.files.targets, request.files
    whole = all(name in arrays for name in WHOLE) and not all(name in arrays for name in SPLIT)
    names = WHOLE if whole else SPLIT
    if missing := [name for name in names if name not in arrays]:
        raise InputError(f"{path}: has no array {missing[0]!r}; needed are {', '.join(SPLIT)}, or {', '.join(WHOLE)}")
    xs, ys = [arrays[name] for name in names[::2]], [arrays[name] for name in names[1::2]]
    targets = [read_targets(_labels(x, y), kind, f"{path}: {y.name}") for x, y in zip(xs, ys, strict=True)]
    if whole:
        index = split_at_random(len(targets[0]), options.test, request.seed, str(path))
        parts = [(xs[0], rows, targets[0][rows]) for rows in index]
    else:
        parts = [(x, np.arange(len(y)), y) for x, y in zip(xs, targets, strict=True)]
    limits = (options.limit or None, options.test_limit or None)
    first, second = ((x, rows[:n], y[:n]) for (x, rows, y), n in zip(parts, limits, strict=True))
    outputs = max(outputs_of(y, kind) for y in targets)
    return _of_parts(path, (first, second), outputs, (), request)


def _dataset(path: Path | str, parts: Any, names: tuple[str, ...], request: Request) -> Dataset:
    limits = request.files.limit, request.files.test_limit
    first, second = (
        (x, rows[index], y[index])
        for (x, rows, y), limit in zip(parts, limits, strict=True)
        for index in [first_of_each(y, limit)]
    )
    check_same_classes(first[2], second[2], names, str(path))
    return _of_parts(path, (first, second), len(names), names, request)


def _of_parts(
    path: Path | str, parts: tuple[_Part, _Part], outputs: int, names: tuple[str, ...], request: Request
) -> Dataset:
    """The data set of a training and a test part, in the form that both have; raises InputError."""
    first, second = parts
    if first[0].shape[1:] != second[0].shape[1:]:
        raise InputError(
            f"{path}: samples of x_train have shape {first[0].shape[1:]}, of x_test {second[0].shape[1:]}; make them "
            "the same"
        )
    seen = _range_of(*first[:2])
    form = form_of(first[0].name, first[0].shape, first[0].dtype, seen, request, str(path))
    form.check(second[0].name, second[0].dtype, _range_of(*second[:2]), str(path))
    x_train, x_test = (_samples(x, rows, form) for x, rows, _ in (first, second))
    shape = x_train.shape[1:] if form.steps is None else x_train.shape[2:]
    y = first[2], second[2]
    return Dataset(
        x_train, y[0], x_test, y[1], shape, outputs, Path(path).stem, form.steps, names, request.files.targets
    )


def _samples(x: StoredArray, rows: NDArray[np.int64], form: Form) -> Any:
    """Samples in memory, or read batch by batch if they are large and need no conversion as a whole."""
    size = 4 * len(rows) * math.prod(x.shape[1:])
    if x.values is None and size > MOST_IN_MEMORY and form.series is None:
        shape = form.sample_shape if form.steps is None else (form.steps, *form.sample_shape)
        return StoredRows(x.path, x.key, rows, shape, form.channels_last, form.scale)
    return from_memory(x.read(rows), form, f"{x.path}: {x.name}")


def _range_of(x: StoredArray, rows: NDArray[np.int64]) -> Range:
    """Range of every feature, read piece by piece; raises InputError for a value that is not a number."""
    low = high = None
    binary = True
    for start, values in _pieces(x, rows):
        if values.dtype.kind == "f":
            wrong = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
            if wrong.any():
                sample = int(rows[start + int(np.argmax(wrong))])
                raise InputError(f"{x.path}: {x.name} holds NaN or infinity in sample {sample}; repair or remove it")
        binary = binary and bool(((values == 0) | (values == 1)).all())
        piece_low, piece_high = values.min(axis=0), values.max(axis=0)
        low = piece_low if low is None else np.minimum(low, piece_low)
        high = piece_high if high is None else np.maximum(high, piece_high)
    assert low is not None
    assert high is not None
    return Range(low, high, binary)


def _pieces(x: StoredArray, rows: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[Any]]]:
    count = max(1, _READ_ROWS_BYTES // max(1, 4 * math.prod(x.shape[1:])))
    for start in range(0, len(rows), count):
        yield start, x.read(rows[start : start + count])


def _labels(x: StoredArray, y: StoredArray) -> Any:
    if x.dtype.kind not in "biuf":
        raise InputError(f"{x.path}: {x.name} holds {x.dtype}; samples are numbers")
    if len(x.shape) < 2 or x.shape[0] == 0 or 0 in x.shape:
        raise InputError(f"{x.path}: {x.name} has shape {x.shape}; samples are (samples, ...), at least one")
    if not y.shape or y.shape[0] != x.shape[0]:
        raise InputError(
            f"{y.path}: {x.name} has {x.shape[0]} samples, but {y.name} has shape {y.shape}; each sample has one label"
        )
    labels = y.read(slice(None))
    if labels.dtype.kind == "O":
        labels = np.array([_text(value) for value in labels.flat]).reshape(labels.shape)
    return labels.reshape(-1) if labels.shape == (len(labels), 1) else labels


def _texts(array: StoredArray) -> tuple[str, ...]:
    return tuple(_text(value) for value in array.read(slice(None)).reshape(-1))


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _open(path: Path) -> Mapping[str, StoredArray]:
    """The arrays that a data set is made of; raises InputError for damaged files."""
    known = (*SPLIT, *WHOLE, *_NAMES)
    try:
        if path.is_dir():
            files = {file.stem: file for file in sorted(path.glob("*.npy")) if file.stem in known}
            mapped = {name: map_npy(file) for name, file in files.items()}
            return {n: StoredArray(n, array.shape, array.dtype, files[n]) for n, array in mapped.items()}
        if path.suffix.lower() == ".npy":
            raise InputError(
                f"{path}: is one array; give the folder that holds x.npy and y.npy, or x_train.npy and so on"
            )
        with path.open("rb") as file:
            is_zip = file.read(2) == b"PK"
        if is_zip:
            values = read_npz(path)
            return {name: StoredArray.of(path, name, array) for name, array in values.items()}
        with h5py.File(path, "r") as file:
            return dict(_hdf5_arrays(file, path, known))
    except InputError:
        raise
    except (OSError, NotWholeError, KeyError, RuntimeError, ValueError) as error:
        raise InputError(f"{path}: is not a whole file of arrays ({reason(error)}); write it again") from error


def _hdf5_arrays(file: h5py.File, path: Path, known: tuple[str, ...]) -> Iterator[tuple[str, StoredArray]]:
    for name in file:
        if name not in known:
            continue
        if not isinstance(file.get(name, getlink=True), h5py.HardLink) or not isinstance(file[name], h5py.Dataset):
            raise InputError(f"{path}: {name} is not an array of this file; write it as one")
        check_array(file[name], name, str(path))
        yield name, StoredArray(name, file[name].shape, file[name].dtype, path, name)
