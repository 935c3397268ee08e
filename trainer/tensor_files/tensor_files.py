"""Files of tensors and plain values: written atomically, read without executing anything.

The format is safetensors; its metadata have one entry, "spikeport": strict JSON of kind, version, the SHA-256 of the
content, and the plain values with marks in place of tensors (plain_values.py). Files that older releases wrote by
torch.save are also read (old_archives.py); the first bytes of a file tell which of the two it is.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from spikeport.common.errors import InputError, reason
from spikeport.common.files import write_bytes

from . import old_archives
from .old_archives import RefusedError
from .plain_values import DTYPES, dump, parse, put_together, take_apart

VERSION = 2
LARGEST_FILE = 1 << 33
"""Bytes of a file; a larger one is refused unread."""
LARGEST_HEADER = 1 << 24
"""Bytes of a file's header: the plain values, and each tensor's name, type and shape."""
_OLD_VERSION = 1
_ENTRY = "spikeport"
_PICKLE, _TAR = b"\x80", b"ustar"


def write_tensors(path: str | Path, kind: str, content: Mapping[str, Any]) -> None:
    """Write tensors and plain values under a kind ("network", "checkpoint", ...); raises InputError as `replacing`."""
    values, tensors = take_apart(content)
    tensors = _own_memory(tensors)
    about = {"kind": kind, "version": VERSION, "sha256": _digest(kind, values, tensors), "values": values}
    # one entry, because the library writes several in random order
    raw = safetensors.torch.save(tensors, {_ENTRY: dump(about)})
    if len(raw) > LARGEST_FILE or _header_size(raw) > LARGEST_HEADER:
        raise InputError(f"{path}: would be larger than can be read again; make the network smaller")
    write_bytes(path, raw)


def read_tensors(path: str | Path, kind: str, again: str = "train again") -> dict[str, Any]:
    """Read such a file; raises InputError if it is missing, damaged, of another kind or version, or holds code.

    again: what makes a new one, for the sentence.
    """
    try:
        return _read(Path(path), kind)
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; give the folder of a run that has been trained") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or reason(error)})") from error
    except RefusedError as error:
        raise InputError(f"{path}: {error}; {again} to make a {kind} file") from error
    except Exception as error:  # json, zipfile, safetensors and torch's unpickler each have their own
        raise InputError(
            f"{path}: is truncated or not a {kind} file of this project ({reason(error)}); {again} to make one"
        ) from error


def _read(path: Path, kind: str) -> dict[str, Any]:
    about = path.stat()
    if not stat.S_ISREG(about.st_mode) and not stat.S_ISDIR(about.st_mode):
        raise RefusedError("is a device or a pipe, not a file")
    if about.st_size > LARGEST_FILE:
        raise RefusedError(f"has {about.st_size} bytes; at most {LARGEST_FILE} are allowed")
    with path.open("rb") as file:
        head = file.read(512)
        if head.startswith(old_archives.MAGIC):
            content = old_archives.load_archive(head + file.read())
            version = content.pop("version", None)
            _check_kind(path, content.pop("kind", None), kind, version, _OLD_VERSION)
            return content
        # a header's size may begin like a pickle
        if head[8:9] != b"{" and (head.startswith(_PICKLE) or head[257:262] == _TAR):
            raise RefusedError("is a pickle without an archive, which could run code and is not read")
        if 8 + _header_size(head) > about.st_size:
            raise ValueError(f"its header claims {_header_size(head)} bytes, the file has {about.st_size}")
        if _header_size(head) > LARGEST_HEADER:
            raise ValueError(f"its header has {_header_size(head)} bytes; at most {LARGEST_HEADER} are allowed")
        header = (head + file.read(max(0, 8 + _header_size(head) - len(head))))[8 : 8 + _header_size(head)]
        described = _described(header)
        _check_kind(path, described.get("kind"), kind, described.get("version"), VERSION)
        file.seek(0)
        raw = file.read()
    tensors = safetensors.torch.load(raw)
    if any(tensor.dtype not in DTYPES for tensor in tensors.values()):
        raise ValueError("it holds numbers of a type that is not stored")
    if described["sha256"] != _digest(kind, described["values"], tensors):
        raise RefusedError("is damaged: its content does not match its checksum")
    content = put_together(described["values"], tensors)
    if not isinstance(content, dict):
        raise ValueError("it holds no values by name")
    return content


def _described(header: bytes) -> dict[str, Any]:
    """The metadata entry of this project; empty for a file of another one."""
    metadata = parse(header.decode()).get("__metadata__", {})
    entry: dict[str, Any] = parse(metadata[_ENTRY]) if _ENTRY in metadata else {}
    return entry


def _check_kind(path: Path, stored_kind: object, kind: str, version: object, supported: int) -> None:
    if stored_kind != kind:
        raise RefusedError(f"is not a {kind} file of this project")
    if version != supported:
        shown = version if isinstance(version, int) else "unknown"
        raise InputError(f"{path}: has format version {shown}, this release reads {supported}")


def _header_size(raw: bytes) -> int:
    if len(raw) < 8:
        raise ValueError("it has no header")
    return int.from_bytes(raw[:8], "little")


def _own_memory(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors on the CPU, contiguous, none sharing memory with another."""
    copies: dict[str, Tensor] = {}
    used: set[int] = set()
    for name, tensor in tensors.items():
        local = tensor.cpu().contiguous()
        memory = local.untyped_storage().data_ptr()
        copies[name] = local.clone() if memory in used else local
        used.add(memory)
    return copies


def _digest(kind: str, values: Any, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the values and of every tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(dump([kind, VERSION, values]).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(dump([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
