"""TI46: spoken letters and digits as spikes of a cochlea model."""

from __future__ import annotations

import re
import string

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.trainer.data.dataset import Dataset, Request
from spikeport.trainer.data.paths_and_cache import file_states, find_data, stacked
from spikeport.trainer.data.readers.cochlea import Cochlea
from spikeport.trainer.data.readers.recordings import read_recording

# word, speaker, session and token: 0AF1SET0.WAV is the letter A by the first woman, enrolment session (training part)
NAME = re.compile(r"(0[0-9a-z])([fm][1-8])(se|s[1-8])t(\d)\.wav", re.IGNORECASE)
TRAINING = "se"
LETTERS = tuple(f"0{letter}" for letter in string.ascii_lowercase)
DIGITS = tuple(f"0{digit}" for digit in string.digits)
SECONDS = 1.0
STEPS = 100
RATE = 12500
# as in Lyon's ear model, which ST-RSBP's authors use for these recordings
CHANNELS = 78
HIGHEST = 5800.0


def ti46_alpha(request: Request) -> Dataset:
    """Spoken letters of TI46 as spike trains in 78 channels (see cochlea.py), the first second in 100 steps; 26 words.

    request.path: a folder with the disc's files, in any subfolders, {word}{speaker}{session}t{token}.wav in NIST
    SPHERE or converted to RIFF; default: ti46 below SPIKEPORT_DATA; request.steps: default 100. Session "se" is the
    training part, the others are the test part: 4142 and 6628 recordings in ST-RSBP's paper. Raises InputError.
    Source: Liberman et al., TI 46-Word, LDC93S9, Linguistic Data Consortium 1993; names as in its readme.txt.
    """
    return _ti46("ti46_alpha", LETTERS, request)


def ti46_digits(request: Request) -> Dataset:
    """Spoken digits of TI46, zero to nine, in the same form."""
    return _ti46("ti46_digits", DIGITS, request)


def _ti46(name: str, words: tuple[str, ...], request: Request) -> Dataset:
    folder = find_data(name, request.path, "ti46")
    named = [(NAME.fullmatch(file.name), file) for file in sorted(folder.rglob("*"))]
    recordings = [(match, file) for match, file in named if match is not None and match[1].lower() in words]
    y = np.array([words.index(match[1].lower()) for match, _ in recordings], np.int64)
    training = np.array([match[3].lower() == TRAINING for match, _ in recordings], bool)
    if training.all() or not training.any():
        raise InputError(
            f"{folder}: holds {training.sum()} training and {(~training).sum()} test recordings of {name!r}, "
            "named WORD SPEAKER SESSION TOKEN as on the disc LDC93S9 (0af1set0.wav, 0af1s1t0.wav), which "
            "catalog.ldc.upenn.edu sells; give the folder of its copy"
        )
    steps = request.steps or STEPS
    cochlea = Cochlea(RATE, CHANNELS, high=HIGHEST, steps=steps, step_seconds=SECONDS / steps)
    files = [file for _, file in recordings]
    key = repr((cochlea, file_states(files)))
    spikes = (cochlea.spikes(read_recording(file, RATE)) for file in files)
    x: NDArray[np.uint8] = stacked(f"{name}-{steps}", key, spikes, (len(files), steps, CHANNELS), np.uint8)
    return Dataset(x[training], y[training], x[~training], y[~training], (CHANNELS,), len(words), name, steps)
