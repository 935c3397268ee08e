"""Packages of others: made visible without an installation, and used by a Python that finds them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from places import ROOT


def install(folder: Path, entries: dict[str, dict[str, str]], name: str = "spikeport-example") -> Path:
    """A package's *.dist-info in the folder, as an installation would leave it there."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [line for group, names in entries.items() for line in (f"[{group}]", *map(" = ".join, names.items()))]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder


def run(*arguments: object, site: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A Python that finds the repository and the folder's packages."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(site)]), "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
