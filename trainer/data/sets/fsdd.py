"""Free Spoken Digit Dataset: recordings of spoken digits as spikes of a cochlea model."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.trainer.data.dataset import Dataset, Request
from spikeport.trainer.data.paths_and_cache import cached, find_data
from spikeport.trainer.data.readers.cochlea import Cochlea
from spikeport.trainer.data.readers.recordings import read_recording

# as in the data set's own README: recordings 0 to 4 of each speaker and digit
TEST_RECORDINGS = 5
NAME = re.compile(r"(\d)_([a-z]+)_(\d+)\.wav")
SECONDS = 0.8
STEPS = 80


def fsdd(request: Request) -> Dataset:
    """Spoken digits as spike trains in 64 channels (see cochlea.py), the first 0.8 s in 80 steps; its authors' split.

    request.path: a folder of {digit}_{speaker}_{index}.wav, or one that contains it as "recordings"; default: fsdd
    below SPIKEPORT_DATA; request.steps: default 80. Spikes are cached by the content of the recordings. Raises
    InputError.
    Source: Jackson et al., Free Spoken Digit Dataset, github.com/Jakobovski/free-spoken-digit-dataset.
    """
    folder = find_data("fsdd", request.path, "fsdd")
    folder = folder / "recordings" if (folder / "recordings").is_dir() else folder
    files = sorted(file for file in folder.glob("*.wav") if NAME.fullmatch(file.name))
    matches = [NAME.fullmatch(file.name) for file in files]
    digit = np.array([int(match[1]) for match in matches if match], np.int64)
    test = np.array([int(match[3]) < TEST_RECORDINGS for match in matches if match], bool)
    if test.all() or not test.any():
        raise InputError(
            f"{folder}: holds {test.sum()} test and {len(files) - test.sum()} training recordings named "
            "DIGIT_SPEAKER_INDEX.wav (index 0 to 4 are the test part); give the folder of recordings"
        )
    steps = request.steps or STEPS
    cochlea = Cochlea(steps=steps, step_seconds=SECONDS / steps)
    arrays = cached(f"fsdd-{_key(files, cochlea)}", ("spikes",), lambda: {"spikes": _spikes(files, cochlea)})
    x = arrays["spikes"]
    return Dataset(x[~test], digit[~test], x[test], digit[test], (cochlea.channels,), 10, "fsdd", steps)


def _key(files: list[Path], cochlea: Cochlea) -> str:
    """A cache key that changes with the cochlea and with every byte of the recordings."""
    digest = hashlib.sha256(repr(cochlea).encode())
    for file in files:
        digest.update(file.name.encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:20]


def _spikes(files: list[Path], cochlea: Cochlea) -> NDArray[np.uint8]:
    return np.stack([cochlea.spikes(read_recording(file, cochlea.rate)) for file in files])
