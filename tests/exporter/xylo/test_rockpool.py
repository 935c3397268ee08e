"""Rockpool: its simulator runs an exported specification, and a network that it trained and wrote runs on both chips.

Run where SPIKEPORT_ROCKPOOL names a Python of version 3.10 with `pip install rockpool xylosim torch nir`.
"""

from __future__ import annotations

import os
import re
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
from places import ROOT

import spikeport as sp
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.exporter.xylo.specification_file import write_specification
from spikeport.lava_runtime.simulate import simulate
from tests.support.networks.xylo_graphs import chain, cuba, lif, random_weights

PYTHON = os.environ.get("SPIKEPORT_ROCKPOOL", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="no Rockpool here; name its Python in SPIKEPORT_ROCKPOOL"),
]


def rockpool(script: str, folder: Path) -> str:
    command = [PYTHON, ROOT / "tests" / "frameworks" / script, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def equal_to_rockpool_s(program: ChipProgram, x: np.ndarray, folder: Path) -> None:
    """Every event of every neuron is that of Rockpool's simulator on the exported file."""
    write_specification(program, folder / "model.json")
    np.save(folder / "x.npy", x)
    rockpool("rockpool_xylosim.py", folder)
    theirs = np.load(folder / "rockpool.npz")
    ours = simulate(program, x, steps=len(x), record="layers").states
    *hidden, output = [ours[f"s/{p.name}"].reshape(*x.shape[:2], -1) for p in program.populations]
    np.testing.assert_array_equal(np.concatenate(hidden, axis=2), theirs["hidden"])
    np.testing.assert_array_equal(output, theirs["out"])
    assert output.any()


def test_rockpool_s_simulator_runs_an_exported_specification(tmp_path: Path) -> None:
    weights = random_weights([16, 20, 12, 5], 0.5)
    graph = chain([cuba(20, 4, 8), lif(12, 8), cuba(5, 2, 6)], weights)
    x = np.random.default_rng(0).binomial(3, 0.2, (80, 8, 16)).astype(np.uint8)
    equal_to_rockpool_s(sp.compile(graph, chip="xylo_audio2", calibrate=x).program, x, tmp_path)


def test_a_network_that_rockpool_trained_and_wrote_runs_on_both_chips(tmp_path: Path) -> None:
    (reached,) = re.findall(r"^accuracy (.*)$", rockpool("rockpool_trained.py", tmp_path), flags=re.MULTILINE)
    x, spikes = np.load(tmp_path / "x.npy"), np.load(tmp_path / "spikes.npy")
    # as Rockpool writes the input of a batch of one step
    x = x.reshape(*x.shape[:2], 1, 1, -1)
    winners, labels = spikes.sum(0).argmax(1), np.arange(x.shape[1]) % 4
    assert float(reached) > 0.9
    for chip in ("loihi2", "xylo_audio2"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = sp.compile(tmp_path / "model.nir", chip=chip, framework="rockpool", calibrate=x[:, :16])
        found = network.simulate(x).winners
        assert np.mean(found == winners) > 0.85 and np.mean(found == labels) > 0.85
        if chip == "xylo_audio2":
            equal_to_rockpool_s(network.program, x[:, :8], tmp_path)
