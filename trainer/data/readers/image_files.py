"""Images that stay in their files until they are asked for."""

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
    """Images that are read, cut and scaled whenever they are asked for: what an array is that does not fit in memory.

    files: one an image, of any size; side: pixels of the square they become; share: of an image's shorter side, how
    much of its middle is kept. `images[index]` with a number, a slice or an array of numbers reads these images as
    float32 in [0, 1], (3, side, side) or (n, 3, side, side), in as many threads as there are processors; raises
    InputError for a broken file, or for more images at once than fit in memory.
    """

    files: tuple[str, ...]
    side: int
    share: float = 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array that all images would be, (N, 3, side, side)."""
        return (len(self.files), 3, self.side, self.side)

    def __len__(self) -> int:
        return len(self.files)

    def only(self, index: NDArray[np.int64]) -> ImageFiles:
        """The images of these numbers, not read yet."""
        return ImageFiles(tuple(self.files[n] for n in index), self.side, self.share)

    def check_fits(self, count: int) -> None:
        """Raise InputError if so many of the images are too many for the memory."""
        size = 4 * count * math.prod(self.shape[1:])
        if size > MOST_AT_ONCE:
            raise InputError(
                f"{Path(self.files[0]).parent}: {count} images at once are {size >> 30} GiB, but these data are read "
                "batch by batch; train with `spikeport train`, then simulate some samples with `spikeport simulate`"
            )

    def __getitem__(self, index: int | slice | NDArray[np.int64]) -> NDArray[np.float32]:
        if isinstance(index, (int, np.integer)):
            return self._read(self.files[int(index)])
        chosen = self.files[index] if isinstance(index, slice) else tuple(self.files[n] for n in index)
        self.check_fits(len(chosen))
        images = np.empty((len(chosen), *self.shape[1:]), np.float32)
        with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
            for place, image in zip(images, threads.map(self._read, chosen), strict=True):
                place[...] = image
        return images

    def _read(self, file: str) -> NDArray[np.float32]:
        from PIL import Image

        try:
            with Image.open(file) as image:
                return middle_square(image.convert("RGB"), self.side, self.share)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise InputError(f"{file}: is no whole image ({reason(error)}); take it from the archive again") from error


def middle_square(image: Any, side: int, share: float = 1.0) -> NDArray[np.float32]:
    """The middle of an RGB image of PIL, `share` of its shorter side in square, as (3, side, side) in [0, 1]."""
    kept = min(image.size) * share
    left, top = (image.width - kept) // 2, (image.height - kept) // 2
    square = image.resize((side, side), box=(left, top, left + kept, top + kept))
    return np.asarray(np.asarray(square, np.float32).transpose(2, 0, 1) / np.float32(255))
