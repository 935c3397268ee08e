"""A folder of event recordings by class, and single recordings for a trained network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.common.file_kinds import EVENTS
from spikeport.trainer.data.dataset import Dataset, Request
from spikeport.trainer.data.file_options import FileOptions
from spikeport.trainer.data.paths_and_cache import file_states, stacked
from spikeport.trainer.data.readers.event_files import Recording, read_events
from spikeport.trainer.data.sets.events import to_spikes

from .class_files import check_kinds, find_class_files


@dataclass(frozen=True)
class Binning:
    """How events become spikes: sensor (height, width) or (channels,); shape of a step's spikes; steps; window.

    sensor_from: where the sensor's size is from, for errors; window: seconds per step from the recording's start, None:
    each recording is divided evenly into the steps.
    """

    sensor: tuple[int, ...]
    sensor_from: str
    shape: tuple[int, ...]
    steps: int
    window: float | None
    time_unit: float = 1e-6


def event_folder(root: Path, request: Request) -> Dataset:
    """Recordings as spike trains, (steps, 2 or 1, H, W) or (steps, channels); raises InputError.

    A step has a spike wherever the recording has an event of that polarity in it.
    """
    options = request.files
    options.check_for("event recordings")
    if request.steps is None:
        raise InputError(f"{root}: event recordings are binned; give the number of steps")
    files = find_class_files(root, options, request.seed)
    check_kinds((*files.train, *files.test), EVENTS, "event recordings")
    how = binning(files.train[0], options, request.steps)
    x_train, x_test = (
        stacked("events", _key(part, how), bin_files(part, how), (len(part), how.steps, *how.shape), np.uint8)
        for part in (files.train, files.test)
    )
    return Dataset(
        *(x_train, files.y_train, x_test, files.y_test, how.shape, len(files.names), root.name, how.steps),
        class_names=files.names,
    )


def binning(first: Path, options: FileOptions, steps: int) -> Binning:
    """The binning that options ask for, of the sensor that they or the first file state; raises InputError."""
    sensor, source = options.sensor, "[files]"
    if sensor is None:
        sensor, source = read_events(first, options.time_unit).sensor, first.name
    if sensor is None:
        raise InputError(
            f"{first}: does not state the size of its sensor; set sensor = [HEIGHT, WIDTH] in [files], or [CHANNELS]"
        )
    pixels = options.size or sensor
    if len(sensor) == 1 and options.size is not None:
        raise InputError(f"size = {list(options.size)} is for sensors with height and width; remove it")
    channels = 2 if options.polarity == "separate" else 1
    shape = pixels if len(sensor) == 1 else (channels, *pixels)
    return Binning(sensor, source, shape, steps, options.window, options.time_unit)


def bin_files(files: Sequence[Path], how: Binning) -> Iterator[NDArray[np.uint8]]:
    """The spikes of each recording, (steps, *shape); raises InputError for another sensor."""
    for file in files:
        yield bin_events(read_events(file, how.time_unit), how, file)


def bin_events(recording: Recording, how: Binning, file: Path) -> NDArray[np.uint8]:
    """The spikes of one recording, (steps, *shape); raises InputError if it is another sensor's."""
    if len(recording.events) == 0:
        raise InputError(f"{file}: has no events; remove it")
    stated = recording.sensor
    if stated is not None and stated != how.sensor:
        raise InputError(
            f"{file}: is of a sensor of {_size(stated)} pixels, but {how.sensor_from} states {_size(how.sensor)}; "
            "keep to one sensor"
        )
    height, width = how.sensor if len(how.sensor) == 2 else (1, how.sensor[0])
    events = recording.events.copy()
    for name, limit in (("x", width), ("y", height)):
        wrong = np.flatnonzero((events[name] < 0) | (events[name] >= limit))
        if len(wrong) and (name == "x" or len(how.sensor) == 2):
            raise InputError(
                f"{file}: has an event at {name} = {events[name][wrong[0]]}, outside a sensor of {_size(how.sensor)} "
                f"pixels (by {how.sensor_from}); set sensor in [files] to its size"
            )
    if len(how.shape) == 3:
        events["x"] = events["x"] * how.shape[2] // width
        events["y"] = events["y"] * how.shape[1] // height
        if how.shape[0] == 1:
            events["p"] = 0
    seconds = None if how.window is None else how.window * how.steps
    if seconds is not None:
        events["t"] -= recording.start
    return to_spikes(events, how.steps, seconds, how.shape)


def _key(files: Sequence[Path], how: Binning) -> str:
    return repr((how, file_states(files)))


def _size(sensor: tuple[int, ...]) -> str:
    return " x ".join(map(str, sensor))
