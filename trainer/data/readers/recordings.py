"""Sound recordings: RIFF (.wav) and NIST SPHERE files."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError, reason
from spikeport.trainer.data.paths_and_cache import UNREADABLE, import_library

Read = tuple[int, NDArray[Any]]
SAMPLE_COUNT = re.compile(rb"sample_count -i (\d+)\s")


def read_recording(path: Path, rate: int) -> NDArray[np.float64]:
    """The samples of a mono recording in either format; raises InputError if it is broken or has another rate."""
    from scipy.io.wavfile import WavFileWarning

    try:
        with path.open("rb") as file:
            sphere = file.read(7) == b"NIST_1A"
        actual, sound = _read_sphere(path) if sphere else _read_riff(path)
    except InputError:
        raise
    except (*UNREADABLE, WavFileWarning) as error:
        raise InputError(f"{path}: is not a whole wav file ({reason(error)}); fetch it again") from error
    if actual != rate or sound.ndim != 1:
        channels = 1 if sound.ndim == 1 else sound.shape[1]
        raise InputError(f"{path}: has {actual} Hz and {channels} channels; needed are {rate} Hz and 1")
    return np.asarray(sound, dtype=np.float64)


def _read_riff(path: Path) -> Read:
    from scipy.io import wavfile

    with warnings.catch_warnings():
        # scipy only warns about a truncated file
        warnings.simplefilter("error", wavfile.WavFileWarning)
        rate, sound = wavfile.read(path)
    return rate, sound


def _read_sphere(path: Path) -> Read:
    sound, rate = import_library("soundfile", str(path)).read(path, dtype="int16")
    # libsndfile reads a truncated file as a shorter one
    header = SAMPLE_COUNT.search(path.read_bytes())
    if header is None or int(header[1]) != len(sound):
        raise ValueError(f"{len(sound)} samples of {'none' if header is None else int(header[1])} in its header")
    return rate, sound
