"""What a folder holds, and how a command that would write over it is refused."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from spikeport.commands import cli

RECIPE = """
name = "small"
dataset = "digits"
backends = []
devices = ["server_cpu"]
[network]
layers = [{ kind = "dense", size = 16 }]
[training]
epochs = 2
steps = 4
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def refusal(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["spikeport", *arguments])
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert ended.value.code == 2 and said.startswith("error: ") and said.count("\n") == 1, said
    return str(said)
