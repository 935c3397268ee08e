"""Kinds of files by their first bytes, or by the layout of formats without a signature."""

from __future__ import annotations

import itertools
from pathlib import Path

from .containers import has_event_fields, hdf5_kind, zip_kind
from .kinds import FileKind

_PICKLE_PROTOCOLS = {b"\x02", b"\x03", b"\x04", b"\x05"}
# bytes that are looked at
HEAD = 4096
_HDF5 = b"\x89HDF\r\n\x1a\n"

_FIRST_BYTES: tuple[tuple[bytes, FileKind], ...] = (
    (b"version https://git-lfs.github.com/", FileKind.LFS_POINTER),
    (b"#!AER-DAT2", FileKind.AEDAT2),
    (b"#!AER-DAT3", FileKind.AEDAT3),
    (b"#!AER-DAT4", FileKind.AEDAT4),
    # torch.save before torch 1.6: a pickled magic number
    (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19", FileKind.TORCH),
    (b"NIST_1A", FileKind.SPHERE),
    (b"fLaC", FileKind.FLAC),
    (b"OggS", FileKind.SOUND),
    (b"ID3", FileKind.SOUND),
    (b"\x89PNG\r\n\x1a\n", FileKind.IMAGE),
    (b"\xff\xd8\xff", FileKind.IMAGE),
    (b"GIF87a", FileKind.IMAGE),
    (b"GIF89a", FileKind.IMAGE),
    (b"II*\x00", FileKind.IMAGE),
    (b"MM\x00*", FileKind.IMAGE),
    (b"P5", FileKind.IMAGE),
    (b"P6", FileKind.IMAGE),
    (b"MATLAB 5.0 MAT-file", FileKind.MATLAB),
    (b"PAR1", FileKind.PARQUET),
    (b"\x1f\x8b", FileKind.ARCHIVE),
    (b"BZh", FileKind.ARCHIVE),
    (b"\xfd7zXZ\x00", FileKind.ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", FileKind.ARCHIVE),
    (b"Rar!\x1a\x07", FileKind.ARCHIVE),
    (b"(\xb5/\xfd", FileKind.ARCHIVE),
)
_RIFF = {b"WAVE": FileKind.WAV, b"WEBP": FileKind.IMAGE}
_BY_TEXT_ENDING = {
    **dict.fromkeys((".csv", ".tsv"), FileKind.CSV),
    ".toml": FileKind.TOML,
    ".json": FileKind.JSON,
    ".py": FileKind.PYTHON,
}


def kind_of_bytes(path: Path, head: bytes, size: int) -> FileKind:
    """What a file of `size` bytes holds; head: its first HEAD bytes, at least one."""
    for recognise in (_by_first_bytes, _by_container, _by_layout, _by_text):
        kind = recognise(path, head, size)
        if kind is not None:
            return kind
    return FileKind.UNKNOWN


def _by_first_bytes(path: Path, head: bytes, size: int) -> FileKind | None:  # noqa: ARG001
    return next((kind for start, kind in _FIRST_BYTES if head.startswith(start)), None)


def _by_container(path: Path, head: bytes, size: int) -> FileKind | None:
    """Formats whose first bytes name a container only."""
    if head.startswith(b"PK\x03\x04"):
        return zip_kind(path)
    if head.startswith(_HDF5):
        return hdf5_kind(path)
    if head.startswith(b"\x93NUMPY"):
        return FileKind.EVENTS_NPY if has_event_fields(head) else FileKind.NPY
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12])
    if head.startswith(b"BM") and int.from_bytes(head[2:6], "little") == size:
        return FileKind.IMAGE
    if head.startswith(b"% "):
        return _prophesee_kind(head)
    if head[4:8] == b"TFL3":
        return FileKind.TFLITE
    return FileKind.ARCHIVE if head[257:262] == b"ustar" else None


def _by_layout(path: Path, head: bytes, size: int) -> FileKind | None:
    """Formats without a signature, by fields that must hold."""
    if head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= size - 8:
        return FileKind.SAFETENSORS
    if head[:1] == b"\x80" and head[1:2] in _PICKLE_PROTOCOLS and _last_byte(path) == b".":
        return FileKind.PICKLE
    if path.name == "saved_model.pb":
        return FileKind.TENSORFLOW
    # protobuf: field 1 (ir_version) as a small number, then one of ModelProto's next fields
    if (
        head[:1] == b"\x08"
        and 0 < int.from_bytes(head[1:2], "big") <= 32
        and head[2:3] in {b"\x12", b"\x1a", b"\x22", b"\x3a", b"\x42"}
    ):
        return FileKind.ONNX
    return FileKind.NMNIST if _is_nmnist(head, size) else None


def _last_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1)


def _is_nmnist(head: bytes, size: int) -> bool:
    """Whether the bytes are events of 5 bytes, x, y and a sign with 23 bits of microseconds in order."""
    if size % 5 or _text(head) is not None:
        return False
    events = [head[n : n + 5] for n in range(0, min(len(head), size) // 5 * 5, 5)]
    times = [(e[2] & 127) << 16 | e[3] << 8 | e[4] for e in events if e[1] != 240]
    ordered = all(one <= other for one, other in itertools.pairwise(times))
    return bool(times) and ordered and all(e[0] < 240 for e in events)


def _by_text(path: Path, head: bytes, size: int) -> FileKind | None:  # noqa: ARG001
    text = _text(head)
    if text is None:
        return None
    if text.lstrip().lower().startswith(("<!doctype html", "<html")):
        return FileKind.HTML
    if path.suffix.lower() in _BY_TEXT_ENDING:
        return _BY_TEXT_ENDING[path.suffix.lower()]
    return FileKind.JSON if text.lstrip().startswith("{") else FileKind.TEXT


def _text(head: bytes) -> str | None:
    """The bytes as text, or None: UTF-8 without control characters; the last character may be cut."""
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if len(head) < HEAD or error.start < len(head) - 4:
            return None
        text = head[: error.start].decode("utf-8-sig")
    return None if any(ord(c) < 32 and c not in "\t\n\r\f" for c in text) else text


def _prophesee_kind(head: bytes) -> FileKind | None:
    lines = [line.lower() for line in head.split(b"\n") if line.startswith(b"% ")]
    joined = b"\n".join(lines)
    for words, kind in (
        ((b"% evt 3.0", b"format evt3"), FileKind.EVT3),
        ((b"% evt 2.1", b"format evt21"), FileKind.EVT21),
        ((b"% evt 2.0", b"format evt2"), FileKind.EVT2),
        ((b"% version 2", b"% data file containing"), FileKind.PROPHESEE_DAT),
    ):
        if any(word in joined for word in words):
            return kind
    return None
