"""A loaded data set, and the request for one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.trainer.data.readers.image_files import ImageFiles
from spikeport.trainer.data.readers.stored_rows import StoredRows

from .encoding import Images
from .file_options import FileOptions
from .targets import Targets, check_targets

Samples = Images | ImageFiles | StoredRows


@dataclass(frozen=True)
class Request:
    """Arguments of a data set's loader.

    seed: fixes the split of data without one of their own; path: the file or folder of the data; steps: time steps per
    sample for spike trains, None for the loader's default; encoding: the recipe's, "" if unknown; files: how the user's
    own files are read.
    """

    seed: int = 0
    path: Path | None = None
    steps: int | None = None
    encoding: str = ""
    files: FileOptions = field(default_factory=FileOptions)


@dataclass(frozen=True)
class Dataset:
    """Labelled samples, split into training and test: images in [0, 1], or spike trains if `steps` is given.

    x_train, x_test: images float32 (N, *input_shape), in memory or in files read batch by batch, or spike trains uint8
    (N, steps, *input_shape), which the encoding "spikes" passes on unchanged; y_train, y_test: int64 (N,),
    0 .. classes - 1, or targets of another kind (targets.py); classes: number of classes, or of outputs; class_names:
    one per class, or none.
    Raises InputError if these do not agree.
    """

    x_train: Samples
    y_train: NDArray[Any]
    x_test: Samples
    y_test: NDArray[Any]
    input_shape: tuple[int, ...]
    classes: int
    name: str
    steps: int | None = None
    class_names: tuple[str, ...] = ()
    targets: Targets = "class"

    def __post_init__(self) -> None:
        shape = self.input_shape if self.steps is None else (self.steps, *self.input_shape)
        for part, x, given in (("training", self.x_train, self.y_train), ("test", self.x_test, self.y_test)):
            y = np.asarray(given)
            if len(x) == 0 or len(x) != len(y):
                raise InputError(f"{self.name}: the {part} part has {len(x)} samples and {len(y)} labels")
            if x.shape[1:] != shape:
                raise InputError(f"{self.name}: {part} samples have shape {x.shape[1:]}, not {shape}")
            check_targets(self.targets, y, self.classes, self.steps, f"{self.name}: the {part} part")
            # torch's losses take no other types
            dtype = np.int64 if self.has_classes else np.float32
            object.__setattr__(self, "y_train" if part == "training" else "y_test", y.astype(dtype, copy=False))
        if self.class_names and len(self.class_names) != self.classes:
            raise InputError(f"{self.name}: has {self.classes} classes and {len(self.class_names)} class names")

    @property
    def names(self) -> tuple[str, ...]:
        """The classes' names, or their numbers."""
        return self.class_names or tuple(map(str, range(self.classes)))

    @property
    def has_classes(self) -> bool:
        """Whether targets are classes, of a sample or of each step."""
        return self.targets in ("class", "class_per_step")

    def still(self, x: Samples) -> NDArray[np.float32]:
        """Samples x without time, (N, *input_shape): images unchanged, spike trains as rates."""
        samples = x[:]
        return np.asarray(samples if self.steps is None else samples.mean(axis=1), dtype=np.float32)

    def hold_out(self, share: float, seed: int) -> tuple[Dataset, Dataset | None]:
        """Split the training part at random into the rest and a held-out share, each as the training part of a copy.

        The second is None if the share rounds to no sample. Raises InputError if nothing would be left to train on.
        """
        count = round(share * len(self.y_train))
        if count == 0:
            return self, None
        if count == len(self.y_train):
            raise InputError(f"held_out = {share} leaves none of {count} samples to train on; set it lower")
        order = np.random.default_rng(seed).permutation(len(self.y_train))
        parts = np.sort(order[count:]), np.sort(order[:count])
        rest, held_out = (
            replace(self, x_train=_only(self.x_train, part), y_train=self.y_train[part]) for part in parts
        )
        return rest, held_out

    def check_test_fits(self) -> None:
        """Raise InputError if the test part is too large to run as a whole."""
        if isinstance(self.x_test, ImageFiles | StoredRows):
            self.x_test.check_fits(len(self.x_test))

    def check_encoding(self, encoding: str, steps: int) -> None:
        """Raise InputError unless this encoding can encode these samples in `steps` steps."""
        if (encoding == "spikes") != (self.steps is not None):
            kind = "images, which need an encoding of images" if self.steps is None else "spike trains"
            suitable = "integrate" if self.steps is None else "spikes"
            raise InputError(f'data set {self.name!r} holds {kind}; use encoding = "{suitable}", not {encoding!r}')
        if self.steps is not None and steps != self.steps:
            raise InputError(f"data set {self.name!r} has {self.steps} time steps; use steps = {self.steps}")


def _only(x: Samples, index: NDArray[np.int64]) -> Samples:
    return x.only(index) if isinstance(x, ImageFiles | StoredRows) else x[index]
