"""Recordings of event cameras and silicon cochleas that tonic downloads and reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from spikeport.trainer.data.dataset import Dataset, Request
from spikeport.trainer.data.paths_and_cache import data_library, download_folder, file_states, library_errors, stacked


def nmnist(request: Request) -> Dataset:
    """N-MNIST, (2, 34, 34) in 30 steps of 10 ms: 60000 to train, 10000 to test. See `load_dataset` for the request.

    Source: Orchard et al., Converting static image datasets to spiking neuromorphic datasets using saccades, Frontiers
    in Neuroscience 9:437, 2015.
    """
    return _events("nmnist", "NMNIST", ({"train": True}, {"train": False}), request.steps or 30, 0.3, 10, request)


def dvs_gesture(request: Request) -> Dataset:
    """DVS128 Gesture, (2, 128, 128), each recording cut evenly into 16 steps: 1077 to train, 264 to test.

    Source: Amir et al., A low power, fully event-based gesture recognition system, CVPR 2017.
    """
    splits = ({"train": True}, {"train": False})
    return _events("dvs_gesture", "DVSGesture", splits, request.steps or 16, None, 11, request)


def shd(request: Request) -> Dataset:
    """Spiking Heidelberg Digits, 700 channels in 100 steps of 14 ms: 8156 to train, 2264 to test.

    Source: Cramer et al., The Heidelberg spiking data sets, IEEE TNNLS 33(7), 2022.
    """
    return _events("shd", "SHD", ({"train": True}, {"train": False}), request.steps or 100, 1.4, 20, request)


def ssc(request: Request) -> Dataset:
    """Spiking Speech Commands, 700 channels in 100 steps of 10 ms: 75466 to train, 20382 to test. Source: as SHD."""
    return _events("ssc", "SSC", ({"split": "train"}, {"split": "test"}), request.steps or 100, 1.0, 35, request)


def _events(
    name: str,
    tonic_name: str,
    splits: tuple[dict[str, Any], dict[str, Any]],
    steps: int,
    seconds: float | None,
    classes: int,
    request: Request,
) -> Dataset:
    datasets = data_library("tonic", name)
    folder = download_folder(name, request.path)
    parts = []
    with library_errors(name, folder):
        for split in splits:
            recordings = getattr(datasets, tonic_name)(str(folder), **split)
            width, height, polarities = recordings.sensor_size
            shape = (width,) if height == 1 else (polarities, height, width)
            # the order of files in a folder depends on the disk; that of their names does not
            order = sorted(range(len(recordings)), key=lambda n: str(recordings.data[n]) if recordings.data else n)
            y = _labels(recordings)[order]
            frames = (to_spikes(recordings[n][0], steps, seconds, shape) for n in order)
            key = repr((steps, seconds, _contents(Path(recordings.location_on_system), recordings)))
            parts.append((stacked(f"{name}-{steps}", key, frames, (len(y), steps, *shape), np.uint8), y, shape))
    (x_train, y_train, shape), (x_test, y_test, _) = parts
    return Dataset(x_train, y_train, x_test, y_test, shape, classes, name, steps)


def to_spikes(events: NDArray[Any], steps: int, seconds: float | None, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Spikes (steps, *shape) of events with fields t (microseconds), x, p and, on (polarities, height, width), y.

    Step n has a spike wherever at least one event is in [n, n + 1) * length / steps; length: `seconds`, or by default
    the recording's own. Later events are left out.
    """
    spikes = np.zeros((steps, *shape), np.uint8)
    if len(events) == 0:
        return spikes
    start, length = (events["t"].min(), np.ptp(events["t"]) + 1) if seconds is None else (0, seconds * 1e6)
    step = ((events["t"] - start) * steps / length).astype(np.int64)
    neuron = (events["x"],) if len(shape) == 1 else (events["p"].astype(np.int64), events["y"], events["x"])
    inside = (step >= 0) & (step < steps)
    spikes[tuple(index[inside] for index in (step, *neuron))] = 1
    return spikes


def _labels(recordings: Any) -> NDArray[np.int64]:
    if recordings.targets:
        return np.asarray(recordings.targets, np.int64)
    # the Heidelberg data are one HDF5 file
    with h5py.File(Path(recordings.location_on_system) / recordings.data_filename, "r") as file:
        return np.asarray(file["labels"][()], np.int64)


def _contents(folder: Path, recordings: Any) -> list[tuple[str, int, int]]:
    """Name, size and time of every file of the recordings, on which the cached spikes depend."""
    files = [Path(path) for path in recordings.data] or sorted(folder.rglob(Path(recordings.data_filename).name))
    return file_states(files)
