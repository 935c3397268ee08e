"""ImageNet (ILSVRC2012): the user downloads its archives, torchvision extracts them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from spikeport.common.errors import InputError, reason
from spikeport.trainer.data.dataset import Dataset, Request
from spikeport.trainer.data.paths_and_cache import UNREADABLE, data_library, find_data
from spikeport.trainer.data.readers.image_files import ImageFiles

SIDE = 224
# the shorter side is scaled to 256 pixels and the middle 224 are cropped
SHARE = 224 / 256


def imagenet(request: Request) -> Dataset:
    """ImageNet, (3, 224, 224), the middle of each image, read batch by batch: 1281167 to train, 50000 to test.

    request.path: the folder with the three archives; default: imagenet below SPIKEPORT_DATA. They are extracted there
    on the first call. The test part is the challenge's validation part, whose labels are known. Raises InputError.
    Source: Russakovsky et al., ImageNet large scale visual recognition challenge, IJCV 115(3), 2015.
    """
    datasets = data_library("torchvision", "imagenet")
    folder = find_data("imagenet", request.path, "imagenet")
    try:
        train, test = (datasets.ImageNet(str(folder), split) for split in ("train", "val"))
        classes = len(datasets.imagenet.load_meta_file(str(folder))[0])
    except UNREADABLE as error:
        raise InputError(
            f"{folder}: data set 'imagenet' cannot be read ({reason(error)}); it is not downloaded automatically: put "
            "ILSVRC2012_devkit_t12.tar.gz, ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar there, which are "
            "available from image-net.org with an account"
        ) from error
    for split, part in (("train", train), ("val", test)):
        _check_whole(folder / split, part, classes)
    (x_train, y_train), (x_test, y_test) = ((_files(part), np.array(part.targets, np.int64)) for part in (train, test))
    return Dataset(x_train, y_train, x_test, y_test, x_train.shape[1:], classes, "imagenet")


def _check_whole(folder: Path, part: Any, classes: int) -> None:
    """Raise InputError for an incompletely extracted folder, which torchvision would accept."""
    if len(part.wnids) != classes or any(folder.glob("*.tar")):
        raise InputError(
            f"{folder}: holds {len(part.wnids)} of {classes} classes or archives still to extract; remove the folder, "
            "and it is extracted again"
        )


def _files(part: Any) -> ImageFiles:
    return ImageFiles(tuple(path for path, _ in part.samples), SIDE, SHARE)
