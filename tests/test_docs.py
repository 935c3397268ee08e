"""The documents say what is true: commands run, links lead somewhere, files named exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nir
import numpy as np
import pytest
from command import graph, spikeport
from pages import DOCUMENTS, commands
from places import ROOT
from programs import spikes


def test_the_readme_s_commands_on_a_network_of_one_s_own(tmp_path: Path) -> None:
    nir.write(str(tmp_path / "model.nir"), graph())
    np.save(tmp_path / "x.npy", spikes((10, 3, 6), 0.4, 1))
    own = [c for c in commands(ROOT / "README.md") if any(word.startswith("model.") for word in c)]
    assert [c[0] for c in own] == ["compile", "check", "diff", "simulate", "profile"]
    for command in own:
        result = spikeport(*command, cwd=tmp_path)
        # diff exits with 1 where spikes differ
        assert result.returncode in ((0, 1) if command[0] == "diff" else (0,)), f"{command}: {result.stderr}"


def test_a_newcomer_s_five_commands_hold_as_written(conformance: Path, tmp_path: Path) -> None:
    """On the first screen; the first two clone and install, the others are run here as they stand."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:40]
    first = next(number for number, line in enumerate(lines) if line.startswith("    git clone"))
    block = [line.strip() for line in lines[first : first + 5]]
    assert block[1].startswith("make demo") and lines[first + 5] == ""
    (tmp_path / "shared").symlink_to(conformance.parent)
    (tmp_path / "here").mkdir()
    for line, word in zip(block[2:], ("fits", "output spikes", "energy per inference"), strict=True):
        result = spikeport(*shlex.split(line)[1:], cwd=tmp_path / "here")
        assert result.returncode == 0 and word in result.stdout, result.stderr


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_the_python_shown_runs(path: Path, tmp_path: Path) -> None:
    """The blocks of a page, one after the other, in a folder of their own."""
    blocks = re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    if blocks:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        ran = subprocess.run(
            [sys.executable, "-c", "\n".join(blocks)],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_every_command_shown_exists_with_its_options(path: Path) -> None:
    for command in commands(path):
        shown = spikeport(command[0], "--help").stdout
        for option in (word for word in command[1:] if word.startswith("-")):
            assert option in shown, f"{path.name}: {command}"


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
