"""Recordings and images as the input of a trained network, of the shape that it takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.common.file_kinds import EVENTS, IMAGES, SOUNDS, file_kind
from spikeport.trainer.data.encoding import integrate
from spikeport.trainer.data.file_options import FileOptions
from spikeport.trainer.data.readers.event_files import read_events
from spikeport.trainer.data.readers.recordings import read_sound

from .class_files import check_kinds, is_sample
from .events import Binning, bin_events
from .images import read_image
from .sounds import front_end_of, sound_spikes

Shape = tuple[int, ...]
# without a number of steps, a long recording may have millions
MOST_STEPS = 100_000


def read_recordings(path: Path, shape: Shape, dt: float, steps: int | None) -> NDArray[np.uint8]:
    """A recording, or every one of a folder in the order of names, as spikes (steps, samples, *shape).

    shape: of the network's input; steps: a recording of events is divided evenly into so many; None: steps of dt
    seconds, until the longest recording ends. Sound goes through the cochlea with a channel per input, in steps of dt.
    Images are encoded by "integrate" and need steps. Raises InputError.
    """
    files = (path,) if path.is_file() else tuple(sorted(file for file in path.rglob("*") if is_sample(file)))
    if not files:
        raise InputError(f"{path}: has no recordings; give a file, or a folder of them")
    kind = file_kind(files[0])
    read: Callable[[Sequence[Path], Shape, float, int | None], list[NDArray[Any]]]
    for kinds, wanted, read in (
        (EVENTS, "event recordings", _events),
        (SOUNDS, "sound recordings", _sounds),
        (IMAGES, "images", _images),
    ):
        if kind in kinds:
            check_kinds(files, kinds, wanted)
            return np.stack(read(files, shape, dt, steps), axis=1)
    raise InputError(f"{files[0]}: is {kind.value}; give recordings of events or sound, or images")


def _events(files: Sequence[Path], shape: Shape, dt: float, steps: int | None) -> list[NDArray[np.uint8]]:
    if len(shape) not in (1, 3) or (len(shape) == 3 and shape[0] not in (1, 2)):
        raise InputError(f"{files[0]}: events have (1 or 2, height, width) or (channels,), but the input is {shape}")
    recordings = [read_events(file) for file in files]
    pixels = shape[-2:] if len(shape) == 3 else shape
    window = dt if steps is None else None
    if steps is None:
        last = max(_last(recording.events["t"]) - recording.start for recording in recordings)
        steps = _checked_steps(math.ceil((last + 1) * 1e-6 / dt), files[0])
    spikes = []
    for file, recording in zip(files, recordings, strict=True):
        sensor = recording.sensor or pixels
        if len(sensor) != len(pixels) or any(size % n for size, n in zip(sensor, pixels, strict=True)):
            raise InputError(
                f"{file}: is of a sensor of {' x '.join(map(str, sensor))} pixels, but the network's input has "
                f"{' x '.join(map(str, pixels))}; use recordings of that sensor, or of a multiple of its size"
            )
        how = Binning(sensor, "the network's input" if recording.sensor is None else file.name, shape, steps, window)
        spikes.append(bin_events(recording, how, file))
    return spikes


def _last(times: NDArray[Any]) -> int:
    return int(times.max()) if len(times) else 0


def _sounds(files: Sequence[Path], shape: Shape, dt: float, steps: int | None) -> list[NDArray[np.uint8]]:
    if len(shape) != 1:
        raise InputError(f"{files[0]}: sound has (channels,), but the input is {shape}")
    rate = read_sound(files[0])[0]
    if steps is None:
        seconds = max(len(read_sound(file)[1]) for file in files) / rate
        steps = _checked_steps(math.ceil(seconds / dt), files[0])
    front_end = front_end_of(FileOptions(channels=shape[0], window=dt), rate, steps)
    return [sound_spikes(file, front_end, files[0]) for file in files]


def _images(files: Sequence[Path], shape: Shape, dt: float, steps: int | None) -> list[NDArray[np.uint8]]:  # noqa: ARG001
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise InputError(
            f"{files[0]}: an image has (1 or 3, height, width), but the input is {shape}; give a .npy array of spikes"
        )
    if steps is None:
        raise InputError(
            f"{files[0]}: an image has no time; give the number of its steps with --steps to `spikeport simulate`, "
            "or a .npy array of spikes to the other commands"
        )
    images = np.stack([read_image(file, shape) for file in files])
    return list(np.moveaxis(integrate(images, steps, np.random.default_rng(0)), 1, 0))


def _checked_steps(steps: int, first: Path) -> int:
    if steps > MOST_STEPS:
        raise InputError(
            f"{first}: is {steps} of the network's time steps long; give fewer with --steps to `spikeport simulate`, "
            "or a .npy array of spikes to the other commands"
        )
    return max(1, steps)
