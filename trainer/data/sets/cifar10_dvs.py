"""CIFAR10-DVS: pictures of CIFAR-10 moved in front of an event camera."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.trainer.data.dataset import Dataset, Request
from spikeport.trainer.data.paths_and_cache import data_library, download_folder, file_states, library_errors, stacked
from spikeport.trainer.data.readers.aedat import SIDE, read_aedat2

from .events import to_spikes

NAME = "cifar10_dvs"
SHAPE = (2, SIDE, SIDE)
STEPS = 16
TRAINING_SHARE = 0.9
ADDRESS = "https://ndownloader.figshare.com/files"
# of each class, in the order of the labels: number of the file at figshare, MD5 sum
ARCHIVES = {
    "airplane": ("7712788", "0afd5c4bf9ae06af762a77b180354fdd"),
    "automobile": ("7712791", "8438dfeba3bc970c94962d995b1b9bdd"),
    "bird": ("7712794", "a9c207c91c55b9dc2002dc21c684d785"),
    "cat": ("7712812", "52c63c677c2b15fa5146a8daf4d56687"),
    "deer": ("7712815", "b6bf21f6c04d21ba4e23fc3e36c8a4a3"),
    "dog": ("7712818", "f379ebdf6703d16e0a690782e62639c3"),
    "frog": ("7712842", "cad6ed91214b1c7388a5f6ee56d08803"),
    "horse": ("7712851", "e7cbbf77bec584ffbf913f00e682782a"),
    "ship": ("7712836", "41c7bd7d6b251be82557c6cce9a7d5c9"),
    "truck": ("7712839", "89f3922fd147d9aeff89e76a2b0b70a7"),
}


def cifar10_dvs(request: Request) -> Dataset:
    """CIFAR10-DVS, (2, 128, 128), each recording cut evenly into 16 steps: 9000 to train, 1000 to test.

    The last tenth of each class by name is the test part, as in Fang et al. (arXiv 2102.04159); the data have no split
    of their own. The archives of the classes are downloaded into CIFAR10DVS, or read from there; a folder that contains
    the classes' folders is used directly. See `load_dataset` for the request and errors.
    Source: Li et al., CIFAR10-DVS: an event-stream dataset for object classification, Frontiers in Neuroscience 11:309,
    2017; addresses and sums as in SpikingJelly's datasets/cifar10_dvs.py.
    """
    folder = download_folder(NAME, request.path)
    root = folder if (folder / "airplane").is_dir() else folder / "CIFAR10DVS"
    for kind in ARCHIVES:
        if not (root / kind).is_dir():
            _fetch(root, kind)
    recordings = [sorted((root / kind).glob("*.aedat")) for kind in ARCHIVES]
    each = len(recordings[0])
    first = math.ceil(TRAINING_SHARE * each)
    for kind, files in zip(ARCHIVES, recordings, strict=True):
        if len(files) != each or each == first:
            raise InputError(
                f"{root / kind}: holds {len(files)} recordings, {root / 'airplane'} {each}; needed are equally many, "
                "at least 10; remove the folder that was not fully extracted, and it is extracted again"
            )
    steps = request.steps or STEPS
    x_train, y_train = _part([files[:first] for files in recordings], steps)
    x_test, y_test = _part([files[first:] for files in recordings], steps)
    return Dataset(x_train, y_train, x_test, y_test, SHAPE, len(ARCHIVES), NAME, steps)


def _fetch(root: Path, kind: str) -> None:
    number, digest = ARCHIVES[kind]
    utilities = data_library("torchvision", NAME).utils
    with library_errors(NAME, root):
        utilities.download_and_extract_archive(f"{ADDRESS}/{number}", str(root), filename=f"{kind}.zip", md5=digest)


def _part(recordings: Sequence[Sequence[Path]], steps: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    files = [file for of_class in recordings for file in of_class]
    y = np.repeat(np.arange(len(recordings)), [len(of_class) for of_class in recordings])
    spikes = (to_spikes(read_aedat2(file), steps, None, SHAPE) for file in files)
    key = repr((steps, file_states(files)))
    return stacked(f"{NAME}-{steps}", key, spikes, (len(y), steps, *SHAPE), np.uint8), y.astype(np.int64)
