"""The documents say what is true: commands run, links lead somewhere, files named exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from command import spikeport
from pages import DOCUMENTS, FIRST_PAGES, GUIDES, commands
from places import ROOT


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_no_command_leads_out_of_the_folder(path: Path) -> None:
    """A clone has no files outside its folder; tests/whole/test_first_pages.py carries out the first pages."""
    assert not [command for command in commands(path) if any(word.startswith("../") for word in command)]


def python_blocks(path: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


# those of the first pages and guides are carried out with their commands: test_first_pages.py, test_guides.py
CARRIED_OUT = {*FIRST_PAGES, *GUIDES}


@pytest.mark.parametrize(
    "path", [p for p in DOCUMENTS if p not in CARRIED_OUT and python_blocks(p)], ids=lambda p: p.name
)
def test_the_python_shown_runs(path: Path, tmp_path: Path) -> None:
    """The blocks of a page, one after the other, in a folder of their own."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-c", "\n".join(python_blocks(path))],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr


@cache
def help_of(*words: str) -> str:
    return spikeport(*words, "--help").stdout


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_every_command_shown_exists_with_its_options(path: Path) -> None:
    for command in commands(path):
        # `models` has commands of its own
        words = command[:2] if command[0] == "models" and len(command) > 1 else command[:1]
        shown = help_of(*words)
        assert shown, f"{path.name}: {command}"
        for option in (word for word in command[1:] if word.startswith("-")):
            assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", shown), f"{path.name}: {command}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_to_files(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name}: {target}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_files_and_functions_named_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for name in re.findall(
        r"`((?:hardware_profiles|trainer|exporter|lava_runtime|spikeport|tests|examples)/[\w./]+)`", text
    ):
        assert "NAME" in name or (ROOT / name).exists(), f"{path.name}: {name}"
    for dotted in re.findall(r"`((?:hardware_profiles|trainer|exporter|lava_runtime|spikeport)(?:\.\w+)+)", text):
        *module, attribute = dotted.split(".")
        source = ROOT.joinpath(*module)
        files = [source.with_suffix(".py"), source / "__init__.py", source / attribute / "__init__.py"]
        found = [f for f in files if f.exists()]
        assert found, f"{path.name}: {dotted}"
        assert any(attribute in f.read_text(encoding="utf-8") for f in found) or files[2].exists()


def test_make_targets_named_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^    make (\w+)", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
