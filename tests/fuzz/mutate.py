"""Seeded mutations of real files: bytes, text, and the structure of HDF5 files and archives."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
from fuzz.mutate_hdf5_storage import STORAGE

_NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)
_TEXT = (
    b"nan", b"inf", b"-1", b"1e400", b"9" * 40, b"''", b'""', b"[]", b"{}", b"[[", b"]]", b"=", b"#", b'"""', b"\x00",
    b"\xff", b"\xc3", b"true", b"extends", b"kind", b"value", b"(", b"{'descr': '|O'", b"/", b"../..", b"\n", b"1.5",
)  # fmt: skip


def mutate(seed: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """One to four changes of a file's bytes; others: files of its kind, pieces of which are put in."""
    content = bytearray(seed)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if not content:
            break
        place = _place(content, rng)
        rng.choice(_CHANGES)(content, place, others, rng)
    return bytes(content)


def _place(content: bytearray, rng: random.Random) -> int:
    # heads of files hold what steers their readers
    reach = len(content) if rng.random() < 0.5 else min(len(content), 4096)
    return rng.randrange(reach)


def _flip(content: bytearray, place: int, _: list[bytes], rng: random.Random) -> None:
    content[place] ^= 1 << rng.randrange(8)


def _set(content: bytearray, place: int, _: list[bytes], rng: random.Random) -> None:
    content[place] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _number(content: bytearray, place: int, _: list[bytes], rng: random.Random) -> None:
    length = rng.choice((2, 4, 8))
    raw = (rng.choice(_NUMBERS) % (1 << 8 * length)).to_bytes(length, rng.choice(("little", "big")))
    content[place : place + length] = raw


def _cut(content: bytearray, place: int, _: list[bytes], rng: random.Random) -> None:
    del content[place : place + rng.choice((1, 2, 8, 64, 512, len(content)))]


def _double(content: bytearray, place: int, _: list[bytes], rng: random.Random) -> None:
    piece = content[place : place + rng.choice((1, 8, 64, 512))]
    content[place:place] = piece * rng.choice((1, 2, 50))


def _splice(content: bytearray, place: int, others: list[bytes], rng: random.Random) -> None:
    other = rng.choice(others)
    start = rng.randrange(len(other))
    length = rng.choice((4, 16, 64, 512))
    content[place : place + length] = other[start : start + length]


def _text(content: bytearray, place: int, _: list[bytes], rng: random.Random) -> None:
    content[place : place + rng.choice((0, 1, 4))] = rng.choice(_TEXT)


_CHANGES = (_flip, _set, _number, _cut, _double, _splice, _text)


def mutate_lines(seed: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """Changes of a text file: lines doubled, dropped, exchanged, values replaced."""
    lines = seed.split(b"\n")
    for _ in range(rng.choice((1, 1, 2, 3))):
        place = rng.randrange(len(lines))
        kind = rng.randrange(6)
        if kind == 0:
            del lines[place]
        elif kind == 1:
            lines.insert(place, rng.choice(lines))
        elif kind == 2:
            lines[place] = rng.choice(rng.choice(others).split(b"\n"))
        elif kind == 3 and b"=" in lines[place]:
            key, _, value = lines[place].partition(b"=")
            lines[place] = key + b"= " + rng.choice((*_TEXT, b"0", b"-3", b"1e30", b"[1, 2]", b'"x"', value * 3))
        elif kind == 4:
            lines[place] = lines[place].replace(b'"', b"", 1)
        else:
            lines[place] = mutate(lines[place] or b"x", others, rng)
        lines = lines or [b""]
    return b"\n".join(lines)


def mutate_hdf5(seed: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """Changes of an HDF5 file by HDF5 itself: datasets of other types, shapes and values, links, cycles, attributes."""
    content = io.BytesIO(seed)
    with h5py.File(content, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        for _ in range(rng.choice((1, 1, 2, 3))):
            if names:
                rng.choice(STORAGE if rng.random() < 0.4 else _STRUCTURE)(file, rng.choice(names), names, rng)
    return content.getvalue()


def _value(rng: random.Random) -> Any:
    choices: tuple[Callable[[], Any], ...] = (
        lambda: rng.choice((0, -1, 1, 2**31, 2**62, 4096)),
        lambda: rng.choice((0.0, -1.0, 1e-300, 1e300, float("nan"), float("inf"))),
        lambda: rng.choice(("", "NIRGraph", "LIF", "dense", "CUBA", "\u00e9", "../x", "Input", "Output", "Conv2d")),
        lambda: np.array([], np.float32),
        lambda: np.zeros(rng.choice(((1,), (3,), (2, 2), (1, 1, 3, 3), (0, 4), (1, 1, 1, 1, 1, 1)))),
        lambda: np.full((3, 3), np.nan, np.float32),
        lambda: np.array([[b"a", b"b"], [b"b", b"a"]]),
        lambda: np.array([1 + 2j]),
        lambda: np.zeros(2, [("a", "i4"), ("b", "f8")]),
        lambda: np.array([2**63], np.uint64),
        lambda: np.array([True, False]),
    )
    return rng.choice(choices)()


def _replace(file: h5py.File, name: str, _: list[str], rng: random.Random) -> None:
    if name in file:
        del file[name]
    file.create_dataset(name, data=_value(rng))


def _drop(file: h5py.File, name: str, _: list[str], __: random.Random) -> None:
    if name in file:
        del file[name]


def _reshape(file: h5py.File, name: str, _: list[str], rng: random.Random) -> None:
    item = file.get(name)
    if isinstance(item, h5py.Dataset) and item.dtype.kind in "iuf" and item.size and item.size < 1 << 20:
        values = np.asarray(item[()])
        changed = rng.choice((
            values.reshape(-1), values[None], values.T, values.reshape(-1)[:-1], -values, values * 1e6,
            values.astype(np.float16), values.astype(np.int8), np.zeros_like(values),
        ))  # fmt: skip
        del file[name]
        file.create_dataset(name, data=changed)


def _huge(file: h5py.File, name: str, _: list[str], rng: random.Random) -> None:
    if name in file:
        del file[name]
    shape = rng.choice(((1 << 40,), (1 << 20, 1 << 20), (1 << 16, 1 << 14), (1, 1 << 33), (1 << 27,)))
    kind = rng.choice(("f4", "i1", "f8", h5py.string_dtype(), "S1000", "b1"))
    file.create_dataset(name, shape=shape, dtype=kind, chunks=tuple(min(n, 64) for n in shape))


def _link(file: h5py.File, name: str, names: list[str], rng: random.Random) -> None:
    if name in file:
        del file[name]
    kind = rng.randrange(5)
    if kind == 0:
        file[name] = h5py.ExternalLink("secret.h5", "/node")
    elif kind == 1:
        file[name] = h5py.SoftLink("/" + rng.choice(names))
    elif kind == 2:
        # a group within itself
        file[name] = file[name.rsplit("/", 1)[0] if "/" in name else "/"]
    elif kind == 3:
        layout = h5py.VirtualLayout(shape=(4,), dtype="f8")
        layout[:] = h5py.VirtualSource("secret.h5", "node", shape=(4,))
        file.create_virtual_dataset(name, layout)
    else:
        file.create_dataset(name, shape=(8,), dtype="f8", external=[("secret.h5", 0, 64)])


def _attribute(file: h5py.File, name: str, _: list[str], rng: random.Random) -> None:
    item = file.get(name)
    if item is None:
        return
    if rng.random() < 0.3:
        item = file
    keys = list(item.attrs)
    key = rng.choice(keys) if keys else "shape"
    value = _value(rng)
    if rng.random() < 0.2 and keys:
        del item.attrs[key]
    else:
        item.attrs[key] = rng.choice((value, "[]", "{}", "null", '{"u_bits": 1e9}', (1 << 30, 1 << 30), (0, 0), -1))


def _rename(file: h5py.File, name: str, names: list[str], rng: random.Random) -> None:
    other = rng.choice((*names, "..", "a b", "\u00e9", "x" * 5000, "0"))
    if name in file and other not in file:
        file.move(name, other)


_STRUCTURE = (_replace, _replace, _drop, _reshape, _reshape, _huge, _link, _attribute, _attribute, _rename)


def mutate_archive(seed: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """Changes of an archive of arrays: members renamed, doubled, mutated, compressed to far less than they hold."""
    with zipfile.ZipFile(io.BytesIO(seed)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            kind = rng.randrange(6)
            called = rng.choice((name, name, "../../escaped.npy", "/tmp/escaped.npy", "x", "a/../../b.npy"))
            if kind == 0:
                member = mutate(member, list(members.values()), rng)
            elif kind == 1:
                member = huge_npy(rng)
            archive.writestr(called if kind == 2 else name, member)
    return content.getvalue()


def huge_npy(rng: random.Random) -> bytes:
    """A small file whose head promises an array larger than any memory, or a dtype that is none."""
    shape = rng.choice(
        ("(1099511627776,)", "(4294967296, 4294967296)", "(3, 2, -6)", "(1000000000,)", "()", "(0, 0, 6)")
    )
    descr = rng.choice(("'<f8'", "'|O'", "'|u1'", "'<U1000000'", "[('a', '|O')]", "'|V4'", "'<f4'", "'<M8[s]'"))
    head = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + bytes(rng.randrange(64))
