"""A folder of sound recordings by class, through a cochlea or as mel frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.common.file_kinds import SOUNDS
from spikeport.trainer.data.dataset import Dataset, Request
from spikeport.trainer.data.file_options import FileOptions
from spikeport.trainer.data.paths_and_cache import file_states, stacked
from spikeport.trainer.data.readers.cochlea import Cochlea
from spikeport.trainer.data.readers.mel import MelFrames
from spikeport.trainer.data.readers.recordings import read_sound

from .class_files import check_kinds, find_class_files

FrontEnd = Cochlea | MelFrames
WINDOW = 0.01
# the highest filter as a fraction of the sampling rate: as 3700 Hz of 8000
_HIGHEST = 0.4625


def sound_folder(root: Path, request: Request) -> Dataset:
    """Recordings as spike trains (steps, channels), several channels of sound averaged; raises InputError."""
    options = request.files
    options.check_for("sound recordings")
    if request.steps is None:
        raise InputError(f"{root}: recordings are divided into steps; give the number of steps")
    files = find_class_files(root, options, request.seed)
    check_kinds((*files.train, *files.test), SOUNDS, "sound recordings")
    first = files.train[0]
    front_end = front_end_of(options, read_sound(first)[0], request.steps)
    x_train, x_test = (
        stacked(
            options.sound,
            repr((front_end, file_states(part))),
            (sound_spikes(file, front_end, first) for file in part),
            (len(part), front_end.steps, front_end.channels),
            np.uint8,
        )
        for part in (files.train, files.test)
    )
    return Dataset(
        *(x_train, files.y_train, x_test, files.y_test, (front_end.channels,), len(files.names), root.name),
        front_end.steps,
        files.names,
    )


def front_end_of(options: FileOptions, rate: int, steps: int) -> FrontEnd:
    """The front end that options ask for at this sampling rate; raises InputError for filters beyond half of it."""
    high = _HIGHEST * rate if options.high is None else options.high
    if not options.low < high < rate / 2:
        raise InputError(
            f"filters from {options.low:g} to {high:g} Hz must lie between 0 and half of the recordings' {rate} Hz; "
            "set low and high in [files]"
        )
    kind = Cochlea if options.sound == "cochlea" else MelFrames
    window = WINDOW if options.window is None else options.window
    if round(rate * window) < 1:
        raise InputError(f"window = {window:g} s is shorter than a sample at {rate} Hz; set it higher")
    return kind(rate, options.channels, options.low, high, window, steps)


def sound_spikes(file: Path, front_end: FrontEnd, first: Path) -> NDArray[np.uint8]:
    """The spikes of one recording; raises InputError if its sampling rate is not that of the first file."""
    rate, sound = read_sound(file)
    if rate != front_end.rate:
        raise InputError(
            f"{file}: has {rate} samples per second, but {first.name} has {front_end.rate}; resample them to one rate"
        )
    return front_end.spikes(sound)
