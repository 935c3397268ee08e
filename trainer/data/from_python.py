"""Data sets from Python: arrays, and PyTorch's Dataset or DataLoader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikeport.common.errors import InputError

from .dataset import Dataset, Request
from .file_options import FileOptions
from .own.arrays import StoredArray, dataset_of_arrays
from .targets import Targets

if TYPE_CHECKING:
    from torch.utils.data import DataLoader
    from torch.utils.data import Dataset as TorchDataset

    TorchData = TorchDataset[Any] | DataLoader[Any]


def from_arrays(
    x: ArrayLike,
    y: ArrayLike,
    x_test: ArrayLike | None = None,
    y_test: ArrayLike | None = None,
    *,
    name: str = "arrays",
    spikes: bool = False,
    class_names: Sequence[str] = (),
    test: float = 0.2,
    seed: int = 0,
    rescale: bool = False,
    targets: Targets = "class",
) -> Dataset:
    """A data set from arrays, by the rules of .npz files (own/arrays.py); raises InputError.

    x: (N, ...) in [0, 1] or bytes; y: (N,) whole numbers or names; without x_test and y_test the share `test` is drawn
    from the seed; spikes: x are spike trains or series, (N, steps, ...); class_names: of the labels 0, 1, ...;
    rescale: scale each feature by the training part's range; targets: what y holds (targets.py), by default classes.
    """
    if (x_test is None) != (y_test is None):
        raise InputError(f"{name}: x_test and y_test belong together; give both or neither")
    values = {"x": x, "y": y} if x_test is None else {"x_train": x, "y_train": y, "x_test": x_test, "y_test": y_test}
    if class_names:
        values["class_names"] = np.array(class_names)
    arrays = {key: StoredArray.of(name, key, np.asarray(array)) for key, array in values.items()}
    request = Request(
        seed, encoding="spikes" if spikes else "", files=FileOptions(test=test, rescale=rescale, targets=targets)
    )
    return dataset_of_arrays(name, arrays, request)


def from_torch(
    train: TorchData, test: TorchData, *, name: str = "torch", spikes: bool = False, class_names: Sequence[str] = ()
) -> Dataset:
    """A data set from PyTorch's Dataset or DataLoader of (sample, label), read once into memory; raises InputError.

    Samples and spikes: as in from_arrays. A Dataset's samples must have one shape. class_names: by default the
    attribute `classes`, which torchvision's have. A DataLoader should neither shuffle nor drop samples of the test
    part.
    """
    (x_train, y_train), (x_test, y_test) = (_stacked(part, f"{name}: {which}") for part, which in
                                            ((train, "training part"), (test, "test part")))  # fmt: skip
    names = class_names or getattr(getattr(train, "dataset", train), "classes", ())
    return from_arrays(x_train, y_train, x_test, y_test, name=name, spikes=spikes, class_names=tuple(names))


def _stacked(part: TorchData, context: str) -> tuple[NDArray[Any], NDArray[Any]]:
    samples: list[NDArray[Any]] = []
    labels: list[Any] = []
    for sample, label in _pairs(part, context):
        if samples and sample.shape != samples[0].shape:
            raise InputError(
                f"{context}: sample {len(samples)} has shape {sample.shape}, the first {samples[0].shape}; make them "
                "the same"
            )
        samples.append(sample)
        labels.append(label)
    if not samples:
        raise InputError(f"{context}: has no samples")
    return np.stack(samples), np.asarray(labels)


def _pairs(part: TorchData, context: str) -> Iterator[tuple[NDArray[Any], Any]]:
    """Samples and labels one by one, of batches if it is a loader."""
    from torch.utils.data import DataLoader

    items: Iterable[Any] = part if isinstance(part, DataLoader) else (part[n] for n in range(len(part)))  # type: ignore[arg-type]
    for item in items:
        if not isinstance(item, (tuple, list)) or len(item) != 2:
            raise InputError(f"{context}: gives {type(item).__name__}; samples are pairs (sample, label)")
        if isinstance(part, DataLoader):
            yield from zip(np.asarray(item[0]), np.asarray(item[1]), strict=True)
        else:
            yield np.asarray(item[0]), np.asarray(item[1])[()]
