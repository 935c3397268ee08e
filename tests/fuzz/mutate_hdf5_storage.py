"""How an HDF5 array is stored and of which type: chunks, filters, variable-length values, byte orders, enumerations."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

_TYPES = (
    ">f4", ">f8", "f2", ">i2", "i1", "u8", "i8", ">u4", "b1", "S3", "V4", np.longdouble, "c8", [("a", "i4")],
    h5py.enum_dtype({"a": 0, "b": 1}, "i1"), h5py.ref_dtype, h5py.string_dtype(), h5py.string_dtype("ascii", 4),
)  # fmt: skip
_WHOLE = (2**31, 2**32 + 1, -(2**33), 2**63 - 1, -(2**63), 255, -129)


def rechunk(file: h5py.File, name: str, _: list[str], rng: random.Random) -> None:
    """The same values in other chunks, with other filters."""
    item = file.get(name)
    if not isinstance(item, h5py.Dataset) or not item.shape or item.size > 1 << 16 or item.dtype.kind not in "biuf":
        return
    values = item[()]
    chunks = tuple(rng.choice((1, max(1, n), rng.randrange(1, n + 2))) for n in values.shape)
    filters: dict[str, Any] = rng.choice((
        {}, {"compression": "gzip"}, {"compression": "lzf"}, {"shuffle": True}, {"fletcher32": True},
        {"scaleoffset": 3}, {"maxshape": (None,) * values.ndim}, {"fillvalue": 7},
    ))  # fmt: skip
    del file[name]
    fitting = tuple(min(c, max(1, n)) for c, n in zip(chunks, values.shape, strict=True))
    file.create_dataset(name, data=values, chunks=fitting, **filters)
    if rng.random() < 0.2:
        file[name].resize(rng.choice((0, 1 << 12, 1 << 36)), axis=0)


def many_chunks(file: h5py.File, name: str, _: list[str], rng: random.Random) -> None:
    """Small chunks that were never written."""
    file.pop(name, None)
    shape = rng.choice(((1 << 12,), (1 << 20,), (1 << 23,), (1 << 12, 1 << 12), (512, 512)))
    file.create_dataset(name, shape, rng.choice(("f4", "i1", "i8")), chunks=(rng.choice((1, 2, 64)),) * len(shape))


def retype(file: h5py.File, name: str, _: list[str], rng: random.Random) -> None:
    """The same shape in another type, with values that another register would cut or wrap."""
    item = file.get(name)
    if not isinstance(item, h5py.Dataset) or item.shape is None or item.size > 1 << 16:
        return
    shape, kind = item.shape, rng.choice(_TYPES)
    values = item[()] if item.dtype.kind in "biuf" else np.zeros(shape)
    del file[name]
    if rng.random() < 0.3 and values.size:
        whole = np.asarray(values).astype(np.int64)
        whole.reshape(-1)[rng.randrange(whole.size)] += rng.choice(_WHOLE)
        file.create_dataset(name, data=whole)
        return
    try:
        file.create_dataset(name, data=np.asarray(values).astype(kind), dtype=kind)
    except (TypeError, ValueError):
        file.create_dataset(name, shape, kind)


def variable(file: h5py.File, name: str, _: list[str], rng: random.Random) -> None:
    """Texts and lists of any length, long ones in many places."""
    file.pop(name, None)
    count = rng.choice((0, 1, 3, 1000, 1 << 16))
    if rng.random() < 0.5:
        text = rng.choice(("", "x", "x" * 10_000, "\x1b[31m", "\u202e", "\u00e9" * 100))
        data = file.create_dataset(name, (count,), h5py.string_dtype())
        data[: min(count, 50)] = text
    else:
        data = file.create_dataset(name, (count,), h5py.vlen_dtype(rng.choice((np.dtype("f8"), np.dtype("i1")))))
        if count:
            data[0] = np.arange(rng.choice((0, 1, 10_000)))


def attribute_type(file: h5py.File, name: str, _: list[str], rng: random.Random) -> None:
    """An attribute of the same name in another type or shape."""
    item = file.get(name)
    keys = [] if item is None else list(item.attrs)
    if not keys:
        return
    key = rng.choice(keys)
    value = item.attrs[key]
    if np.size(value) > 1 << 16:
        return
    make: tuple[Callable[[], Any], ...] = (
        lambda: np.asarray(value).astype(">f8") + rng.choice((0, 0.9)),
        lambda: np.asarray(value).astype(np.int64) + rng.choice(_WHOLE),
        lambda: np.full(3, "x" * 1000, object), lambda: "[" * 5000, lambda: '{"a": ' + "9" * 5000 + "}",
        lambda: '"\\ud800"', lambda: "\x1b]0;x\x07", lambda: np.float16(1), lambda: np.bool_(1),
        lambda: h5py.Empty("f4"), lambda: np.asarray(value)[None], lambda: str(value) * 3,
    )  # fmt: skip
    item.attrs[key] = rng.choice(make)()


STORAGE = (rechunk, rechunk, many_chunks, retype, retype, variable, attribute_type)
