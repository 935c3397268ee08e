"""Read files that older releases wrote by torch.save; the archive is checked before torch sees a byte of it.

torch.load itself is not enough: before 2.6 it passes TorchScript archives to torch.jit.load despite weights_only
(CVE-2025-32434), and before 2.10 it trusts the sizes that a pickle claims (CVE-2026-24747).
"""

from __future__ import annotations

import io
import pickle
import re
import stat
import zipfile
from typing import Any

import torch
from torch import Tensor

from .plain_values import put_together, take_apart

MAGIC = b"PK\x03\x04"
_LEAST_TORCH = "2.10"
# everything that torch.save writes; TorchScript also has constants.pkl and code/
_NAMES = re.compile(
    r"data\.pkl|byteorder|version|\.format_version|\.storage_alignment|\.data/serialization_id|data/\d{1,7}"
)
_CODE = re.compile(r"constants(\.pkl|/.*)?|code(/.*)?", re.IGNORECASE)


class RefusedError(ValueError):
    """Why an archive is not read, for use inside a sentence."""


def load_archive(raw: bytes) -> dict[str, Any]:
    """The content of an archive; raises RefusedError for code and an old torch, anything else if it is damaged."""
    checked = _checked(raw)
    if torch.__version__ < _LEAST_TORCH:
        raise RefusedError(
            f"is of an older release, which torch {_LEAST_TORCH} or later reads safely; "
            f"installed is torch {torch.__version__}"
        )
    try:
        content = torch.load(checked, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch's own message advises to switch the protection off
        raise RefusedError("holds more than tensors and plain values, which could run code and is not read") from error
    values, tensors = take_apart(content)
    for tensor in tensors.values():
        _check(tensor, len(raw))
    checked_content: dict[str, Any] = put_together(values, tensors)
    return checked_content


def _checked(raw: bytes) -> io.BytesIO:
    """The archive rewritten from its checked entries, so that torch's reader cannot see any others."""
    rewritten = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as archive, zipfile.ZipFile(rewritten, "w", zipfile.ZIP_STORED) as output:
        parts = archive.infolist()
        if sum(part.file_size for part in parts) > len(raw):
            raise RefusedError("promises more than it holds")
        for part in parts:
            _check_part(part)
        names = [part.filename.split("/", 1) for part in parts]
        if len({root for root, _ in names}) != 1 or len({name for _, name in names}) != len(names):
            raise RefusedError("holds a name twice, or names of several archives")
        for part, (_, name) in zip(parts, names, strict=True):
            # reading checks the CRC
            output.writestr(f"archive/{name}", archive.read(part))
    rewritten.seek(0)
    return rewritten


def _check_part(part: zipfile.ZipInfo) -> None:
    _, _, name = part.filename.partition("/")
    if _CODE.fullmatch(name) or _CODE.fullmatch(part.filename):
        raise RefusedError("is a TorchScript archive, which holds code; code is never run, only tensors are read")
    if stat.S_ISLNK(part.external_attr >> 16):
        raise RefusedError("holds a symbolic link")
    if not _NAMES.fullmatch(name) or part.orig_filename != part.filename:
        raise RefusedError("holds a part that files of this project never have")
    if part.compress_type != zipfile.ZIP_STORED or part.flag_bits & 1:
        raise RefusedError("is compressed or encrypted, which files of this project never are")


def _check(tensor: Tensor, most: int) -> None:
    """Raise unless the tensor's values are in the file: with strides of 0 a shape can claim any number of them."""
    stored = tensor.untyped_storage().nbytes() if tensor.device.type == "cpu" else 0
    if stored > most or tensor.numel() * tensor.element_size() > stored:
        raise RefusedError("holds a tensor that promises more than the file holds")
