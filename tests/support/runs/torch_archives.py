"""Archives of torch: as older releases wrote them, and made to do harm."""

from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch


class Code:
    """Writes a file where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, ("executed", "w")


class Script(torch.nn.Module):
    """As TorchScript, writes a file where it is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.training = False

    @torch.jit.export
    def __getstate__(self) -> tuple[torch.Tensor, bool]:
        return torch.zeros(1), self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, bool]) -> None:
        torch.save(state[0], "executed")
        self.training = state[1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def old_archive(kind: str, content: dict[str, Any], version: int = 1) -> bytes:
    """What an older release wrote."""
    buffer = io.BytesIO()
    torch.save({"kind": kind, "version": version, **content}, buffer)
    return buffer.getvalue()


def script() -> bytes:
    """A TorchScript archive that writes a file where torch.jit.load reads it."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(Script()), buffer)
    return buffer.getvalue()


def members(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return {name: file.read(name) for name in file.namelist()}


def zipped(parts: dict[str, bytes], compression: int = zipfile.ZIP_STORED, link: str = "") -> bytes:
    """An archive of these parts; link: the part that is marked as a symbolic link."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as file:
        for name, part in parts.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            info.external_attr = (0o120777 if name == link else 0o100644) << 16
            file.writestr(info, part)
    return content.getvalue()


def harmful() -> dict[str, bytes]:
    """Files by what they try; none is a file of this project."""
    good = members(old_archive("network", {}))
    return {
        "TorchScript": script(),
        "constants": zipped({**good, "archive/constants.pkl": pickle.dumps(())}),
        "constants in capitals": zipped({**good, "archive/Constants.PKL": pickle.dumps(())}),
        "constants in another folder": zipped({**good, "constants.pkl": pickle.dumps(())}),
        "code": zipped({**good, "archive/code/__torch__.py": b"import os"}),
        "a link": zipped(good, link="archive/data.pkl"),
        "a part of another kind": zipped({**good, "archive/../../x": b""}),
        "compressed": zipped({**good, "archive/data/0": bytes(1 << 20)}, zipfile.ZIP_DEFLATED),
        "a pickle": pickle.dumps(Code(), protocol=2),
        "an old pickle": b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + pickle.dumps(Code(), protocol=2),
        "a tar archive": bytes(257) + b"ustar" + bytes(1000),
    }


def write_old(folder: Path, name: str, kind: str, content: dict[str, Any]) -> Path:
    path = folder / name
    path.write_bytes(old_archive(kind, content))
    return path
