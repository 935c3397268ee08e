"""The run folder: which file lies where, and when a folder may be written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hardware_profiles.errors import InputError
from hardware_profiles.files import write_bytes, write_text


@dataclass(frozen=True)
class RunFolder:
    """Paths in a run folder."""

    path: Path

    @property
    def recipe(self) -> Path:
        """The recipe the run was made from."""
        return self.path / "recipe.toml"

    @property
    def network(self) -> Path:
        """The trained spiking network."""
        return self.path / "network.pt"

    @property
    def twin(self) -> Path:
        """The trained ANN twin."""
        return self.path / "ann.pt"

    @property
    def onnx(self) -> Path:
        """The ANN twin as ONNX, float32."""
        return self.path / "ann.onnx"

    @property
    def onnx_int8(self) -> Path:
        """The ANN twin as ONNX, int8."""
        return self.path / "ann_int8.onnx"

    @property
    def nir(self) -> Path:
        """The network as NIR."""
        return self.path / "model.nir"

    @property
    def chip(self) -> Path:
        """The compiled program."""
        return self.path / "model.chip"

    @property
    def test_input(self) -> Path:
        """The test split as spikes, (steps, samples, *input shape)."""
        return self.path / "test_input.npy"

    @property
    def result(self) -> Path:
        """What the emulator gave for the test split."""
        return self.path / "result.npz"

    @property
    def raster(self) -> Path:
        """All spikes of one test sample, for the report."""
        return self.path / "raster.npz"

    @property
    def summary(self) -> Path:
        """What the run found."""
        return self.path / "summary.json"

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.path / "report.html"

    @property
    def finished(self) -> bool:
        """Whether a run ended here."""
        return self.summary.exists()

    def begin(self, recipe: Path) -> None:
        """Make the folder, keep the recipe in it, drop an earlier summary; raises InputError if that fails."""
        content = recipe.read_bytes()
        if recipe.resolve() != self.recipe.resolve():
            write_bytes(self.recipe, content)
        self.summary.unlink(missing_ok=True)

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write summary.json, whole or not at all."""
        write_text(self.summary, json.dumps(summary, indent=2) + "\n")


def new_folder(out: Path | None, name: str, overwrite: bool) -> RunFolder:
    """The folder for a run: `out`, or runs/NAME (runs/NAME-2, ... if that is finished).

    Raises InputError if `out` holds a finished run and overwrite is not set.
    """
    if out is not None:
        folder = RunFolder(out)
        if out.exists() and not out.is_dir():
            raise InputError(f"{out}: is a file; give a folder with --out")
        if folder.finished and not overwrite:
            raise InputError(f"{out}: holds a finished run; choose another --out, or --overwrite to replace it")
        return folder
    base = Path("runs")
    folder = RunFolder(base / name)
    number = 2
    while folder.finished and not overwrite:
        folder = RunFolder(base / f"{name}-{number}")
        number += 1
    return folder
