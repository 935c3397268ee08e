"""The project's pages and the commands that they show."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from places import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def commands(path: Path) -> list[list[str]]:
    """The `spikeport ...` lines of a document's indented blocks, without the remarks behind them."""
    lines = re.findall(r"^    (spikeport .*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [shlex.split(re.split(r"\s{3,}", line)[0])[1:] for line in lines]


GUIDES = [ROOT / "docs" / "tutorial.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]
