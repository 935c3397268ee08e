"""Recordings of event cameras in the formats of their makers, recognised by their first bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError, reason
from spikeport.common.file_kinds import FileKind, file_kind
from spikeport.common.hdf5 import check_array, check_table
from spikeport.common.npy import LARGEST_BYTES, NotWholeError, map_npy, read_npz
from spikeport.trainer.data.paths_and_cache import import_library

from .aedat import SIDE, read_aedat2

Events = NDArray[Any]

FIELDS = np.dtype([("t", np.int64), ("x", np.int32), ("y", np.int32), ("p", np.int8)])
_NMNIST_SIDE = 34
_NMNIST_OVERFLOW, _NMNIST_OVERFLOW_STEP = 240, 1 << 13
# names that other tools use
_NAMES = {"t": ("t", "ts", "timestamp", "timestamps"), "x": ("x",), "y": ("y",), "p": ("p", "pol", "polarity", "on")}
_FIELDS = frozenset(name for names in _NAMES.values() for name in names)
_BYTES = {FileKind.PROPHESEE_DAT: 8, FileKind.EVT2: 4, FileKind.EVT3: 2}
_ENCODINGS = {FileKind.PROPHESEE_DAT: "dat", FileKind.EVT2: "evt2", FileKind.EVT3: "evt3"}
_SIZES = (
    re.compile(rb"geometry[: ]+(?P<width>\d+)x(?P<height>\d+)", re.IGNORECASE),
    re.compile(rb"height=(?P<height>\d+);width=(?P<width>\d+)", re.IGNORECASE),
    re.compile(rb"% width (?P<width>\d+)\s+% height (?P<height>\d+)", re.IGNORECASE),
    re.compile(rb"% height (?P<height>\d+)\s+% width (?P<width>\d+)", re.IGNORECASE),
)


@dataclass(frozen=True)
class Recording:
    """Events with fields t (microseconds), x, y and p (0 or 1); sensor: (height, width) if the file states it.

    start: the time at which the recording starts.
    """

    events: Events
    sensor: tuple[int, ...] | None
    start: int


def read_events(path: Path, time_unit: float = 1e-6) -> Recording:
    """A recording of any kind that is read; time_unit: seconds per unit of time in arrays. Raises InputError.

    Read are N-MNIST .bin, AEDAT 2.0 of a DVS128, AEDAT 4.0 (by aedat), Prophesee's .dat, EVT 2.0 and EVT 3.0 (by
    expelliarmus), and arrays with the fields x, y, p and t in .npy, .npz and HDF5 files.
    """
    kind = file_kind(path)
    if kind is FileKind.NMNIST:
        return Recording(_read_nmnist(path), (_NMNIST_SIDE, _NMNIST_SIDE), 0)
    if kind is FileKind.AEDAT2:
        events = read_aedat2(path)
        return _recording(path, {name: events[name] for name in FIELDS.names or ()}, (SIDE, SIDE))
    if kind is FileKind.AEDAT4:
        return _read_aedat4(path)
    if kind in _ENCODINGS:
        return _read_prophesee(path, kind)
    if kind in (FileKind.EVENTS_NPY, FileKind.EVENTS_NPZ, FileKind.EVENTS_HDF5):
        return _recording(path, _read_arrays(path, kind), None, time_unit)
    if kind is FileKind.LFS_POINTER:
        raise InputError(f"{path}: is {kind.value}; fetch it with `git lfs pull`")
    raise InputError(
        f"{path}: is {kind.value}; recordings that are read are N-MNIST .bin, AEDAT 2.0 and 4.0, Prophesee .dat, EVT "
        "2.0 and EVT 3.0, and arrays with the fields x, y, p and t (.npy, .npz, .h5)"
    )


def _read_nmnist(path: Path) -> Events:
    """5 bytes per event: x, y, one bit of polarity and 23 bits of microseconds; y = 240: the time overflowed.

    Source: Garrick Orchard's Read_Ndataset.m; tonic, io.read_mnist_file.
    """
    content = np.frombuffer(path.read_bytes(), np.uint8)
    if len(content) % 5:
        raise InputError(f"{path}: ends within an event; fetch it again")
    raw = content.reshape(-1, 5).astype(np.int64)
    overflow = raw[:, 1] == _NMNIST_OVERFLOW
    time = ((raw[:, 2] & 127) << 16 | raw[:, 3] << 8 | raw[:, 4]) + _NMNIST_OVERFLOW_STEP * np.cumsum(overflow)
    events = np.empty(len(raw), FIELDS)
    events["t"], events["x"], events["y"], events["p"] = time, raw[:, 0], raw[:, 1], raw[:, 2] >> 7
    kept: Events = events[~overflow]
    return kept


def _read_aedat4(path: Path) -> Recording:
    library = import_library("aedat", str(path))
    try:
        decoder = library.Decoder(str(path))
        streams = {n: s for n, s in decoder.id_to_stream().items() if s["type"] == "events"}
        if not streams:
            raise InputError(f"{path}: holds no stream of events; record events as well")
        first = min(streams)
        packets = [packet["events"] for packet in decoder if packet["stream_id"] == first]
    except InputError:
        raise
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # aedat raises RuntimeError and more; a panic of Rust is no Exception
        raise InputError(f"{path}: is not a whole AEDAT 4.0 file ({reason(error)}); fetch it again") from error
    events = np.concatenate(packets) if packets else np.zeros(0, [("t", "u8"), ("x", "u2"), ("y", "u2"), ("on", "?")])
    sensor = (int(streams[first]["height"]), int(streams[first]["width"]))
    polarity = "on" if "on" in (events.dtype.names or ()) else "p"
    return _recording(path, {"p": events[polarity], **{name: events[name] for name in ("t", "x", "y")}}, sensor)


def _read_prophesee(path: Path, kind: FileKind) -> Recording:
    content = path.read_bytes()
    start = 0
    while content[start : start + 1] == b"%":
        start = content.find(b"\n", start) + 1 or len(content)
    # after its header a .dat file states type and size of an event in two bytes
    body = len(content) - start - (2 if kind is FileKind.PROPHESEE_DAT else 0)
    if body <= 0 or body % _BYTES[kind]:
        raise InputError(f"{path}: ends within an event or has none; fetch it again")
    ending = ".dat" if kind is FileKind.PROPHESEE_DAT else ".raw"
    if path.suffix != ending:
        raise InputError(f"{path}: is {kind.value}, which its reader takes by the ending {ending}; rename it")
    size = next((match for pattern in _SIZES if (match := pattern.search(content[:start]))), None)
    wizard = import_library("expelliarmus", str(path)).Wizard(encoding=_ENCODINGS[kind])
    try:
        events = wizard.read(path)
    except Exception as error:  # expelliarmus raises RuntimeError, ValueError and more
        raise InputError(f"{path}: is not a whole recording ({reason(error)}); fetch it again") from error
    if events is None:
        raise InputError(f"{path}: is damaged (expelliarmus cannot decode it); fetch it again")
    sensor = None if size is None else (int(size["height"]), int(size["width"]))
    return _recording(path, {name: events[name] for name in ("t", "x", "y", "p")}, sensor)


def _read_arrays(path: Path, kind: FileKind) -> dict[str, NDArray[Any]]:
    """The fields of events in a file of arrays, with our names; raises InputError."""
    try:
        if kind is FileKind.EVENTS_NPY:
            stored: Any = map_npy(path)
        elif kind is FileKind.EVENTS_NPZ:
            arrays = read_npz(path, largest=LARGEST_BYTES)
            stored = next(iter(arrays.values())) if len(arrays) == 1 else arrays
        else:
            stored = _read_hdf5(path)
    except InputError:
        raise
    except (OSError, NotWholeError, KeyError, RuntimeError, ValueError) as error:
        raise InputError(f"{path}: is not a whole file of events ({reason(error)}); write it again") from error
    names = stored.dtype.names if isinstance(stored, np.ndarray) else tuple(stored)
    fields = {
        field: next((np.asarray(stored[name]) for name in known if name in (names or ())), None)
        for field, known in _NAMES.items()
    }
    missing = [field for field in ("t", "x") if fields[field] is None]
    if missing:
        raise InputError(f"{path}: its events have no field {missing[0]!r}; give x, y, p and t")
    return {field: values for field, values in fields.items() if values is not None}


def _read_hdf5(path: Path) -> Any:
    """The table of events of an HDF5 file, or its arrays by name, at the top or in one group."""
    with h5py.File(path, "r") as file:
        for name, item in (("", file), *_own(file).items()):
            if isinstance(item, h5py.Dataset) and item.dtype.names:
                check_table(item, name, str(path))
                return item[()]
            if isinstance(item, h5py.Group) and "x" in item:
                arrays = {field: values for field, values in _own(item).items() if isinstance(values, h5py.Dataset)}
                return {field: _numbers(values, field, path) for field, values in arrays.items() if field in _FIELDS}
    raise InputError(f"{path}: has no events with x, y, p and t")


def _own(group: h5py.Group) -> dict[str, Any]:
    """What a group holds itself, without links to elsewhere."""
    return {name: group[name] for name in group if isinstance(group.get(name, getlink=True), h5py.HardLink)}


def _numbers(item: h5py.Dataset, name: str, path: Path) -> NDArray[Any]:
    check_array(item, name, str(path))
    return np.asarray(item[()])


def _recording(
    path: Path, fields: dict[str, NDArray[Any]], sensor: tuple[int, ...] | None, time_unit: float = 1e-6
) -> Recording:
    """Checked fields as a recording that starts at its first event; without y and p they are 0."""
    shapes = {name: values.shape for name, values in fields.items()}
    first = fields["t"]
    if first.ndim != 1 or len(set(shapes.values())) > 1:
        raise InputError(f"{path}: its fields have shapes {shapes}; each event has one x, y, p and t")
    events = np.zeros(len(first), FIELDS)
    for name, values in fields.items():
        if values.dtype.kind not in "biuf" or (values.dtype.kind == "f" and not np.isfinite(values).all()):
            raise InputError(f"{path}: field {name!r} holds {values.dtype} with values that are not finite numbers")
        if name == "p":
            events["p"] = values > 0
        elif name == "t":
            events["t"] = values if time_unit == 1e-6 else np.rint(values * (time_unit * 1e6))
        else:
            events[name] = values
    return Recording(events, sensor, int(events["t"].min()) if len(events) else 0)
