"""The project's pages, and what they show carried out by one installation: commands and blocks of Python."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from places import ROOT

FIRST_PAGES = (ROOT / "README.md", ROOT / "docs" / "tutorial.md")


def tracked_copy(clone: Path, *listed: str) -> Path:
    """The files that git tracks, alone in a folder of their own, as in a fresh clone; listed: other files of git's."""
    command = ["git", "ls-files", "-z", *listed]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip("this is not a checkout that git knows")
    for name in filter(None, found.stdout.split("\0")):
        if (ROOT / name).is_file() or (ROOT / name).is_symlink():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name, follow_symlinks=False)
    _copy_kernels(clone)
    return clone


def _copy_kernels(clone: Path) -> None:
    """The kernels compiled already, half a minute of work: numba takes them for a file of the same time and size.

    Indices before code, which is written later: what is named in no copied index is compiled again.
    """
    folders = sorted({path.parent.relative_to(clone) for path in clone.rglob("*.py")})
    for ending in ("*.nbi", "*.nbc"):
        for compiled in (ROOT / folder / "__pycache__" for folder in folders):
            for file in compiled.glob(ending):
                copy = clone / file.relative_to(ROOT)
                copy.parent.mkdir(exist_ok=True)
                shutil.copy2(file, copy)


def trains(command: list[str]) -> bool:
    """Whether a command takes a minute, or needs one that does."""
    return command[0] in ("demo", "run", "train", "sweep") or any(word.startswith("runs/") for word in command)


def carry_out(
    page: Path, folder: Path, python: str | Path, environment: Mapping[str, str], *, training: bool
) -> dict[str, str]:
    """Run a page's steps in a folder, each to exit code 0; returns the last output by command."""
    outputs: dict[str, str] = {}
    for kind, text in steps(page.read_text(encoding="utf-8")):
        command = shlex.split(text)[1:] if kind == "command" else ["-c", text]
        if kind == "command" and trains(command) and not training:
            continue
        assert "../" not in text, f"{page.name} leads out of the folder: {text}"
        ran = subprocess.run(
            [str(python), *(["-m", "spikeport"] if kind == "command" else []), *command],
            cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        assert ran.returncode == 0, f"{page.name}: {text}\n{ran.stdout[-1000:]}{ran.stderr[-2000:]}"
        outputs[command[0]] = re.sub(r"\s+", " ", ran.stdout)
    return outputs


DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def commands(path: Path) -> list[list[str]]:
    """The `spikeport ...` lines of a document's indented blocks, without the remarks behind them."""
    lines = re.findall(r"^    (spikeport .*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [shlex.split(re.split(r"\s{3,}", line)[0])[1:] for line in lines]


GUIDES = [ROOT / "docs" / "tutorial.md", ROOT / "docs" / "xylo.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]


def steps(page: str) -> Iterator[tuple[str, str]]:
    """("python", code), ("NAME.toml", text) and ("command", line) in the page's order."""
    pattern = r"^```(python|toml(?: title=\"[^\"]+\")?)\n(.*?)^```|^    (spikeport [^\n]*)$"
    for kind, block, command in re.findall(pattern, page, flags=re.MULTILINE | re.DOTALL):
        if command:
            yield "command", re.split(r"\s{3,}", command)[0]
        elif kind == "python":
            yield "python", block
        elif "title" in kind:
            yield kind.split('"')[1], block
