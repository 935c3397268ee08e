"""The command line as a user calls it, and what a refusal looks like."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nir
import numpy as np
from places import ROOT


def spikeport(*arguments: object, cwd: Path = ROOT, limit: float = 400) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    command = [sys.executable, "-m", "spikeport.commands.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=limit, check=False)


def refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit 2, one sentence on standard error that says these words, no traceback."""
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
    for word in words:
        assert word in lines[0]


def graph(weight: float = 0.5) -> nir.NIRGraph:
    one = np.ones(4)
    nodes = {
        "input": nir.Input(input_type={"input": np.array([6])}),
        "fc": nir.Affine(weight=np.full((4, 6), weight), bias=np.zeros(4)),
        "lif": nir.LIF(tau=0.01 * one, r=10 * one, v_leak=0 * one, v_threshold=one, v_reset=0 * one),
        "output": nir.Output(output_type={"output": np.array([4])}),
    }
    edges = [("input", "fc"), ("fc", "lif"), ("lif", "output")]
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata={"dt": 1e-3})
