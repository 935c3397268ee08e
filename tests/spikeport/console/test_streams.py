"""What a command writes suits every terminal, and a reader that has gone does not change its answer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nir
import numpy as np
import pytest
from command import graph, spikeport
from places import ROOT
from programs import dense, spikes

from spikeport.common.errors import InputError, shortened, visible
from spikeport.console.visible import new_console
from spikeport.exporter.program.chip_file import save_program

ESCAPE = "\x1b]0;title\x9b31m\u202e"


@pytest.mark.parametrize("arguments", [("chips",), ("check", "model.chip", "--chip", "loihi2", "--json")])
def test_a_reader_that_has_gone_does_not_change_the_answer(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    save_program(dense((6, 8, 4), 1), tmp_path / "model.chip")
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "spikeport.commands.cli", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, cwd=tmp_path, env=environment, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert result.returncode == 0 and b"roken" not in result.stderr, result.stderr


@pytest.mark.parametrize("variables", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}])
def test_terminals_without_unicode_are_served(
    tmp_path: Path, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    model, plenty = tmp_path / "größe.chip", ("--chip", "loihi2")
    save_program(dense((6, 8, 4), 1), model)
    for arguments in (("check", model, *plenty), ("chips", "loihi2")):
        result = spikeport(*arguments)
        assert result.returncode == 0, result.stderr
    result = spikeport("check", tmp_path / "größe2", *plenty)
    assert result.returncode == 2 and result.stderr.startswith("error: ") and "Traceback" not in result.stderr


def test_escapes_in_names_are_shown(tmp_path: Path) -> None:
    network = graph()
    nodes = {f"{ESCAPE}{name}" if name == "lif" else name: node for name, node in network.nodes.items()}
    edges = [tuple(f"{ESCAPE}{end}" if end == "lif" else end for end in edge) for edge in network.edges]
    nir.write(str(tmp_path / "m.nir"), nir.NIRGraph(nodes=nodes, edges=edges, metadata={"dt": 1e-3}))
    np.save(tmp_path / "x.npy", spikes((10, 3, 6), 0.4, 1))
    model, chip = tmp_path / "m.nir", ("--chip", "loihi2")
    for arguments in (("check", model, *chip), ("profile", model, "--input", tmp_path / "x.npy", *chip),
                      ("check", tmp_path / f"{ESCAPE}.chip", *chip)):  # fmt: skip
        result = spikeport(*arguments)
        assert not set(result.stdout + result.stderr) & set("\x1b\x9b\u202e"), result
        assert "\\x1b]0;title\\x9b31m\\u202e" in result.stdout + result.stderr


def test_a_console_keeps_its_own_colours() -> None:
    console = new_console(force_terminal=True, color_system="standard", width=60)
    with console.capture() as capture:
        console.print(f"[red]red[/red] {ESCAPE}", highlight=False)
    assert capture.get() == f"\x1b[31mred\x1b[0m {visible(ESCAPE)}\n"


def test_messages_are_a_few_lines() -> None:
    sentence = str(InputError("a" * 5000 + "; choose another name"))
    assert len(sentence) < 1100 and sentence.endswith("; choose another name")
    assert shortened("short") == "short" and str(InputError("a\x1b[0m\nb")) == "a\\x1b[0m b"
