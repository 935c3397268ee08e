"""Files of tensors and plain values: written whole, read without executing anything."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hardware_profiles.errors import InputError, reason
from hardware_profiles.files import replacing

VERSION = 1


def write_tensors(path: str | Path, kind: str, content: Mapping[str, Any]) -> None:
    """Write tensors and plain values under a kind ("network", "checkpoint", ...); raises InputError as `replacing`."""
    # through memory: torch would name the archive after the temporary file, and hide a full disk's error
    buffer = io.BytesIO()
    torch.save({"kind": kind, "version": VERSION, **content}, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def read_tensors(path: str | Path, kind: str) -> dict[str, Any]:
    """Read such a file; raises InputError if it is missing, truncated, of another kind or version, or holds code."""
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or reason(error)})") from error
    try:
        content = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: is truncated or no {kind} file of this project; train again to make one") from error
    if not isinstance(content, dict) or content.get("kind") != kind:
        raise InputError(f"{path}: is no {kind} file of this project; train again to make one")
    if content.get("version") != VERSION:
        raise InputError(f"{path}: has format version {content.get('version')}, this release reads {VERSION}")
    return content
