"""Images that stay in their files until they are read."""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError, reason

# bytes of images read at once
MOST_AT_ONCE = 4 << 30


@dataclass(frozen=True)
class ImageFiles:
    """Images that are read, cropped and scaled on access, like an array that does not fit in memory.

    files: one per image, of any size; side: pixels of the resulting square; share: of an image's shorter side, the
    fraction cropped from its middle. `images[index]` with a number, a slice or an array of numbers reads these images
    as float32 in [0, 1], (3, side, side) or (n, 3, side, side), with one thread per processor; raises InputError for a
    broken file, or for more images at once than fit in memory.
    """

    files: tuple[str, ...]
    side: int
    share: float = 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of all images as one array, (N, 3, side, side)."""
        return (len(self.files), 3, self.side, self.side)

    def __len__(self) -> int:
        return len(self.files)

    def only(self, index: NDArray[np.int64]) -> ImageFiles:
        """The images with these indices, not read yet."""
        return ImageFiles(tuple(self.files[n] for n in index), self.side, self.share)

    def check_fits(self, count: int) -> None:
        """Raise InputError if `count` of the images do not fit in memory."""
        size = 4 * count * math.prod(self.shape[1:])
        if size > MOST_AT_ONCE:
            raise InputError(
                f"{Path(self.files[0]).parent}: {count} images at once are {size >> 30} GiB, but these data are read "
                "batch by batch; train with `spikeport train`, then simulate some samples with `spikeport simulate`"
            )

    def __getitem__(self, index: int | slice | NDArray[np.int64]) -> NDArray[np.float32]:
        if isinstance(index, (int, np.integer)):
            return self._read(self.files[int(index)])
        files = self.files[index] if isinstance(index, slice) else tuple(self.files[n] for n in index)
        self.check_fits(len(files))
        images = np.empty((len(files), *self.shape[1:]), np.float32)
        with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
            for row, image in zip(images, threads.map(self._read, files), strict=True):
                row[...] = image
        return images

    def _read(self, file: str) -> NDArray[np.float32]:
        from PIL import Image

        try:
            with Image.open(file) as image:
                return middle_square(image.convert("RGB"), self.side, self.share)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise InputError(f"{file}: is not a whole image ({reason(error)}); extract it again") from error


def middle_square(image: Any, side: int, share: float = 1.0) -> NDArray[np.float32]:
    """The central square of a PIL RGB image, `share` of its shorter side wide, as (3, side, side) in [0, 1]."""
    width = min(image.size) * share
    left, top = (image.width - width) // 2, (image.height - width) // 2
    square = image.resize((side, side), box=(left, top, left + width, top + width))
    return np.asarray(np.asarray(square, np.float32).transpose(2, 0, 1) / np.float32(255))
