"""Input arrays of every type, byte order, memory order and number of axes."""

from __future__ import annotations

import io
import random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from programs import spikes

_TYPES = ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "g", "c8", "S1", "U1", "M8[s]", "V3")
_EXTREMES = (2.0, -1.0, 255.0, 256.0, 65504.0, 2.0**31, -(2.0**31), 2.0**53, 2.0**63, 1e300, 0.5, np.nan, np.inf, -0.0)


def typed_npy(_: bytes, __: list[bytes], rng: random.Random) -> bytes:
    """Spikes as .npy in one of all types, sometimes with an extreme value or another shape."""
    content = io.BytesIO()
    if rng.random() < 0.05:
        return many_axes(rng.choice((33, 40, 64)))
    np.save(content, typed(rng), allow_pickle=False)
    return content.getvalue()


def typed_npz(_: bytes, __: list[bytes], rng: random.Random) -> bytes:
    """The same in an archive."""
    content = io.BytesIO()
    np.savez(content, input=typed(rng))
    return content.getvalue()


def typed(rng: random.Random) -> NDArray[Any]:
    """Spikes (10, 3, 6) for the small program, as one of all types."""
    values: NDArray[Any] = spikes((10, 3, 6), 0.4, rng.randrange(9)).astype(np.float64)
    if rng.random() < 0.3:
        values.reshape(-1)[rng.randrange(values.size)] = rng.choice(_EXTREMES)
    with np.errstate(all="ignore"):
        typed = values.astype(np.dtype(rng.choice(_TYPES)).newbyteorder(rng.choice("<>")))
    kind = rng.randrange(12)
    if kind == 0:
        return np.asfortranarray(typed)
    if kind == 1:
        return typed.reshape(rng.choice(((180,), (10, 18), (1,) * 29 + (10, 3, 6), (6, 3, 10), (10, 3, 6, 1))))
    if kind == 2:
        return typed[:0] if rng.random() < 0.5 else typed.reshape(-1)[0]  # type: ignore[no-any-return]
    if kind == 3:
        return np.rec.fromarrays([typed, typed], names="a,b")
    return typed


def many_axes(count: int) -> bytes:
    """A .npy file of more axes than numpy has."""
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({'1, ' * count}), }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + bytes(8)
