"""N-TIDIGITS18: spoken digits as events of a silicon cochlea."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError, reason
from spikeport.trainer.data.dataset import Dataset, Request
from spikeport.trainer.data.paths_and_cache import (
    UNREADABLE,
    data_library,
    download_folder,
    file_states,
    find_data,
    stacked,
)

from .events import to_spikes

NAME = "n_tidigits"
FILE = "n-tidigits.hdf5"
ADDRESS = "https://docs.google.com/document/d/1Uxe7GsKKXcy6SlDUX4hoJVAC0-UkH-8kr5UXp0Ndi1M"
# the spoken words: zero to nine, and oh
WORDS = "z123456789o"
CHANNELS = 64
SECONDS = 1.0
STEPS = 100


def n_tidigits(request: Request) -> Dataset:
    """Single spoken digits in 64 channels, one second from the first event on in 100 steps of 10 ms, eleven words.

    Labels: 0 zero, 1 to 9, 10 oh. Only recordings of one digit: 2464 to train and 2486, by other speakers, to test.
    request.path: the file n-tidigits.hdf5, or a folder that contains it or into which tonic downloads it.
    See `load_dataset` for the request and errors.
    Source: Anumula, Neil, Delbruck & Liu, Feature representations for neuromorphic audio spike streams, Frontiers in
    Neuroscience 12:23, 2018; the file's format as read by tonic's NTIDIGITS18 and jackd/events-tfds: PART_labels, names
    GENDER-SPEAKER-RECORDING-DIGITS, and by name PART_addresses (channels) and PART_timestamps (seconds).
    """
    path = _file(request.path)
    steps = request.steps or STEPS
    try:
        with h5py.File(path, "r") as file:
            (x_train, y_train), (x_test, y_test) = (_part(file, path, part, steps) for part in ("train", "test"))
    except InputError:
        raise
    except (*UNREADABLE, TypeError) as error:
        raise InputError(f"{path}: is not a whole {FILE} ({reason(error)}); fetch it again; see {ADDRESS}") from error
    return Dataset(x_train, y_train, x_test, y_test, (CHANNELS,), len(WORDS), NAME, steps)


def _file(path: Path | None) -> Path:
    if path is not None and path.suffix:
        return find_data(NAME, path, FILE)
    folder = download_folder(NAME, path)
    below = folder / "NTIDIGITS18" / FILE
    for candidate in (folder / FILE, below):
        if candidate.is_file():
            return candidate
    try:
        data_library("tonic", NAME).NTIDIGITS18(str(folder))
    except UNREADABLE as error:
        below.unlink(missing_ok=True)
        raise InputError(
            f"{folder}: data set {NAME!r} cannot be downloaded ({reason(error)}); fetch {FILE} by hand and put "
            f"it there; see {ADDRESS}"
        ) from error
    return below


def _part(file: Any, path: Path, part: str, steps: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    names = [name.decode() for name in file[f"{part}_labels"][()]]
    words = {name: name.rpartition("-")[2] for name in names}
    single = [name for name in names if len(words[name]) == 1 and words[name] in WORDS]
    if not single:
        raise InputError(f"{path}: {part}_labels names no recording of a single digit (GENDER-SPEAKER-RECORDING-DIGIT)")
    y = np.array([WORDS.index(words[name]) for name in single], np.int64)

    def spikes() -> Iterator[NDArray[np.uint8]]:
        for name in single:
            channels, times = (np.asarray(file[f"{part}_{key}"][name]) for key in ("addresses", "timestamps"))
            yield to_spikes(_events(path, name, channels, times), steps, SECONDS, (CHANNELS,))

    key = repr((part, steps, file_states([path])))
    return stacked(f"{NAME}-{steps}", key, spikes(), (len(y), steps, CHANNELS), np.uint8), y


def _events(path: Path, name: str, channels: NDArray[Any], times: NDArray[Any]) -> NDArray[np.void]:
    """Events of a recording, with times from its first one; raises InputError for invalid arrays."""
    if (
        channels.ndim != 1
        or channels.shape != times.shape
        or channels.dtype.kind not in "ui"
        or times.dtype.kind not in "fui"
    ):
        raise InputError(
            f"{path}: recording {name} has addresses {channels.dtype} {channels.shape} and timestamps {times.dtype} "
            f"{times.shape}; needed are whole numbers and as many times"
        )
    if len(channels) and (channels.min() < 0 or channels.max() >= CHANNELS or not np.isfinite(times).all()):
        raise InputError(
            f"{path}: recording {name} has addresses outside 0 to {CHANNELS - 1} or times that are not numbers"
        )
    events = np.empty(len(channels), [("t", np.int64), ("x", np.int64)])
    events["x"] = channels
    if len(times):
        events["t"] = np.rint((times - times.min()) * 1e6)
    return events
