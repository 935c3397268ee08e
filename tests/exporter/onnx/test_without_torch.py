"""The extra onnx has no PyTorch: import and compile of an .onnx file run without it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
from exporter_graphs import torch_view

CODE = """
import sys
for name in ("torch", "safetensors", "sklearn"):
    sys.modules[name] = None  # as if it were not installed
from spikeport.commands.cli import main
commands = (
    "import m.onnx --calibrate x.npy --steps 4 -o m.chip",
    "compile m.onnx --chip loihi2 --calibrate x.npy -o c.chip",
)
for asked in commands:
    sys.argv = ["spikeport", *asked.split()]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, ended.code
"""


def test_an_onnx_file_is_converted_without_torch(tmp_path: Path) -> None:
    onnx.save(torch_view(), str(tmp_path / "m.onnx"))
    np.save(tmp_path / "x.npy", np.random.default_rng(0).uniform(0, 1, (8, 1, 4, 4)).astype(np.float32))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ran = subprocess.run(
        [sys.executable, "-c", CODE], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "m.chip").is_file() and (tmp_path / "c.chip").is_file()
