"""Sound recordings: RIFF (.wav), NIST SPHERE and FLAC files."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError, reason
from spikeport.trainer.data.paths_and_cache import import_library

Read = tuple[int, NDArray[Any]]
SAMPLE_COUNT = re.compile(rb"sample_count -i (\d+)\s")


def read_recording(path: Path, rate: int) -> NDArray[np.float64]:
    """The samples of a mono recording; raises InputError if it is broken or has another rate."""
    actual, sound = _read(path)
    if actual != rate or sound.ndim != 1:
        channels = 1 if sound.ndim == 1 else sound.shape[1]
        raise InputError(f"{path}: has {actual} Hz and {channels} channels; needed are {rate} Hz and 1")
    return np.asarray(sound, dtype=np.float64)


def read_sound(path: Path) -> tuple[int, NDArray[np.float64]]:
    """Samples per second, and the mean of the channels (samples,); raises InputError if the recording is broken."""
    rate, sound = _read(path)
    mono = np.asarray(sound, dtype=np.float64)
    mono = mono if mono.ndim == 1 else mono.mean(axis=1)
    if len(mono) == 0:
        raise InputError(f"{path}: holds no sound; remove it")
    if not np.isfinite(mono).all():
        raise InputError(f"{path}: sample {int(np.argmin(np.isfinite(mono)))} is not a number; write it again")
    if sound.dtype == np.uint8:
        # 8 bits are stored without a sign, silence is 128
        mono = mono - 128
    return rate, mono


def _read(path: Path) -> Read:
    try:
        with path.open("rb") as file:
            start = file.read(7)
        if start == b"NIST_1A":
            return _read_sphere(path)
        return _read_flac(path) if start[:4] == b"fLaC" else _read_riff(path)
    except InputError:
        raise
    except Exception as error:  # scipy raises UnboundLocalError, struct.error and more
        kind = "flac" if path.suffix.lower() == ".flac" else "wav"
        raise InputError(f"{path}: is not a whole {kind} file ({reason(error)}); fetch it again") from error


def _read_flac(path: Path) -> Read:
    library = import_library("soundfile", str(path))
    sound, rate = library.read(path, dtype="float64")
    # libsndfile reads a truncated file as a shorter one
    if len(sound) != library.info(str(path)).frames:
        raise ValueError(f"{len(sound)} samples of {library.info(str(path)).frames} in its header")
    return rate, sound


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
