"""The script for a machine with a GPU runs where there is none: its first part in Triton's interpreter."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from triton_kernels_tested import ROOT

from spikeport.common.accelerator import INTERPRETER, gpu_missing, has_triton


def script(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), *arguments]
    environment = os.environ | {INTERPRETER: "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.mark.slow
@pytest.mark.skipif(not has_triton(), reason="Triton comes with torch for GPUs, on Linux")
def test_kernels_and_emulator_are_equal() -> None:
    run = script("--device", "cpu", "--only", "equal", "--cases", "3")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "chip's step: 3 cases equal in every entry" in run.stdout
    assert "emulator: 3 networks equal in every entry" in run.stdout


@pytest.mark.slow
@pytest.mark.skipif(gpu_missing() is None, reason="there is a GPU")
def test_without_a_gpu_it_says_so() -> None:
    run = script()
    assert run.returncode != 0 and "--device is cuda, but torch finds no GPU" in run.stderr
