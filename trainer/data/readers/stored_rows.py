"""Samples that stay in a file of arrays (.npy or HDF5) until a batch of them is read."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError, reason
from spikeport.common.npy import NotWholeError, map_npy

# bytes of samples read at once
MOST_AT_ONCE = 4 << 30


@dataclass(frozen=True)
class StoredRows:
    """Rows of an array in a file, read on access, like an array that does not fit in memory.

    path: a .npy file, or an HDF5 file with the array `key`; rows: their numbers in the array, None: all;
    sample_shape: of one sample as it is returned; channels_last: the file has (H, W, C), a sample is (C, H, W);
    scale: (low, range) per feature or for all: a value x is returned as (x - low) / range in float32, clipped to 0 to
    1; None: as stored. `stored[index]` with a number, a slice or an array of numbers; raises InputError.
    """

    path: Path
    key: str
    rows: NDArray[np.int64]
    sample_shape: tuple[int, ...]
    channels_last: bool = False
    scale: tuple[Any, Any] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of all samples as one array."""
        return (len(self.rows), *self.sample_shape)

    @property
    def ndim(self) -> int:
        """Axes of all samples as one array."""
        return 1 + len(self.sample_shape)

    def __len__(self) -> int:
        return len(self.rows)

    def only(self, index: NDArray[np.int64]) -> StoredRows:
        """The samples with these indices, not read yet."""
        return replace(self, rows=self.rows[index])

    def check_fits(self, count: int) -> None:
        """Raise InputError if `count` of the samples do not fit in memory."""
        size = 4 * count * math.prod(self.sample_shape)
        if size > MOST_AT_ONCE:
            raise InputError(
                f"{self.path}: {count} samples at once are {size >> 30} GiB, but these data are read batch by batch; "
                "set test_limit in [files], or train with `spikeport train` and simulate some samples"
            )

    def __getitem__(self, index: int | slice | NDArray[np.int64]) -> NDArray[Any]:
        if isinstance(index, (int, np.integer)):
            return self[np.array([index])][0]  # type: ignore[no-any-return]
        rows = self.rows[index]
        self.check_fits(len(rows))
        # HDF5 reads rows in rising order, each once
        unique, position = np.unique(rows, return_inverse=True)
        values = read_rows(self.path, self.key, unique)[position]
        if self.channels_last:
            values = np.moveaxis(values, -1, 1)
        values = values.reshape(len(rows), *self.sample_shape)
        if self.scale is None:
            return values
        low, span = self.scale
        scaled = (np.asarray(values, np.float32) - np.float32(low)) / np.float32(span)
        return np.clip(scaled, 0, 1, out=scaled)


def read_rows(path: Path, key: str, rows: NDArray[np.int64] | slice) -> NDArray[Any]:
    """Rows of an array in a file, in rising order; raises InputError for a broken file."""
    try:
        if not key:
            return np.array(map_npy(path)[rows])
        with h5py.File(path, "r") as file:
            return np.asarray(file[key][rows])
    except (OSError, NotWholeError, KeyError, RuntimeError, ValueError) as error:
        name = f"array {key!r}" if key else "the array"
        raise InputError(f"{path}: {name} cannot be read ({reason(error)}); write the file again") from error
