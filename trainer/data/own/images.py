"""A folder of images by class."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError, reason
from spikeport.common.file_kinds import IMAGES
from spikeport.trainer.data.dataset import Dataset, Request
from spikeport.trainer.data.file_options import FileOptions
from spikeport.trainer.data.paths_and_cache import file_states, import_library, stacked
from spikeport.trainer.data.readers.stored_rows import StoredRows

from .class_files import check_kinds, find_class_files

# modes of images with one channel
_GREY = ("1", "L", "LA", "I", "I;16", "F")


def image_folder(root: Path, request: Request) -> Dataset:
    """Images (1 or 3, H, W) of any format that Pillow reads, scaled to `size`; raises InputError.

    They are decoded once into a file of the cache, from which batches are read.
    """
    options = request.files
    options.check_for("images")
    files = find_class_files(root, options, request.seed)
    every = (*files.train, *files.test)
    check_kinds(every, IMAGES, "images")
    shape = _shape(every, options)
    parts = []
    for part in (files.train, files.test):
        key = repr((shape, file_states(part)))
        pixels = (_pixels(file, shape) for file in part)
        path = Path(stacked("images", key, pixels, (len(part), *shape), np.uint8).filename)  # type: ignore[attr-defined]
        parts.append(StoredRows(path, "", np.arange(len(part)), shape, scale=(0, 255)))
    names = files.names
    return Dataset(parts[0], files.y_train, parts[1], files.y_test, shape, len(names), root.name, class_names=names)


def read_image(file: Path, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """One image as (C, H, W) in [0, 1]; raises InputError for a broken file."""
    return np.asarray(_pixels(file, shape) / np.float32(255), np.float32)


def _shape(files: tuple[Path, ...], options: FileOptions) -> tuple[int, ...]:
    """(C, H, W) of all images; raises InputError if their sizes differ and none is set."""
    grey, size, first = True, options.size, files[0]
    for file, (width, height), mode in _heads(files):
        grey = grey and mode in _GREY
        if size is None:
            size = (height, width)
        elif options.size is None and size != (height, width):
            raise InputError(
                f"{file}: is an image of {height} x {width} pixels, but {first.name} has {size[0]} x {size[1]}; set "
                "size = [HEIGHT, WIDTH] in [files] to scale all"
            )
    assert size is not None
    colour = not grey if options.colour is None else options.colour
    return (3 if colour else 1, *size)


def _heads(files: tuple[Path, ...]) -> Iterator[tuple[Path, tuple[int, int], str]]:
    """Size and mode of every image, from its first bytes."""
    library = _pillow()
    for file in files:
        try:
            with library.open(file) as image:
                yield file, image.size, image.mode
        except (OSError, ValueError, SyntaxError, library.DecompressionBombError) as error:
            raise InputError(f"{file}: is not a whole image ({reason(error)}); repair or remove it") from error


def _pixels(file: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    library = _pillow()
    channels, height, width = shape
    try:
        with library.open(file) as image:
            if image.mode.startswith("I"):
                # 16 bits: Pillow would cut them to the lowest 8
                image = library.fromarray((np.asarray(image, np.float64) / 257).clip(0, 255).astype(np.uint8))
            converted = image.convert("RGB" if channels == 3 else "L")
            values = np.asarray(converted.resize((width, height)) if converted.size != (width, height) else converted)
    except (OSError, ValueError, SyntaxError, library.DecompressionBombError) as error:
        raise InputError(f"{file}: is not a whole image ({reason(error)}); repair or remove it") from error
    return values.reshape(height, width, channels).transpose(2, 0, 1)


def _pillow() -> Any:
    return import_library("PIL.Image", "a folder of images")
