"""jAER event files (AEDAT 2.0) of a DVS128 camera."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError, reason

EVENTS = np.dtype([("t", np.int64), ("x", np.int16), ("y", np.int16), ("p", np.int8)])
SIDE = 128
VERSION = re.compile(rb"#!AER-DAT(\d)")
# an address is 0YYYYYYY XXXXXXXP; of the higher bits, these two mark synchronisation and the like, not pixels
MARKS = 0x80008000
NEVER = 0x7FFF0000


def read_aedat2(path: Path) -> NDArray[np.void]:
    """Events of an AEDAT 2.0 file with fields t (microseconds), x, y (0 to 127) and p (1 brighter, 0 darker).

    After header lines that begin with #, an event is two big-endian words of 32 bit, address and time. x and y are
    swapped and mirrored so that pictures are upright, and p is 1 where the file's bit is 0. Raises InputError for a
    broken file.
    Source: SpikingJelly, datasets/cifar10_dvs.py (x = 127 - Y, y = 127 - X, p = 1 - P); jAER's DVS128 interface for the
    marks (SYNC_EVENT_BITMASK, SPECIAL_EVENT_BIT_MASK).
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({reason(error)})") from error
    version = VERSION.match(content)
    start = 0
    while content[start : start + 1] == b"#":
        start = content.find(b"\n", start) + 1 or len(content)
    if version is not None and version[1] != b"2":
        raise InputError(
            f"{path}: is AEDAT {version[1].decode()}; needed is AEDAT 2.0, as the data set's makers provide it"
        )
    if len(content) == start or (len(content) - start) % 8:
        raise InputError(f"{path}: ends within an event or has none; fetch it again")
    words = np.frombuffer(content, ">u4", offset=start).reshape(-1, 2)
    if (words[:, 0] & NEVER).any():
        raise InputError(f"{path}: holds addresses beyond the 128 x 128 pixels of a DVS128; fetch it again")
    address, time = words[(words[:, 0] & MARKS) == 0].T.astype(np.int64)
    events = np.empty(len(address), EVENTS)
    events["t"], events["p"] = time, 1 - (address & 1)
    events["x"], events["y"] = SIDE - 1 - (address >> 8), SIDE - 1 - (address >> 1 & SIDE - 1)
    return events
