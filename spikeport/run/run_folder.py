"""The run folder: paths of its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikeport.common.files import write_bytes, write_text
from spikeport.common.json_text import json_text
from spikeport.trainer.tensor_files.file_names import ENDING, drop_old, existing_path


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
        """The trained spiking network; network.pt if there is only an older release's."""
        return existing_path(self.path / f"network{ENDING}")

    @property
    def twin(self) -> Path:
        """The trained ANN twin; ann.pt if there is only an older release's."""
        return existing_path(self.path / f"ann{ENDING}")

    @property
    def checkpoint(self) -> Path:
        """The checkpoint of the network's training; checkpoint.pt if there is only an older release's."""
        return existing_path(self.path / f"checkpoint{ENDING}")

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
        """The emulator's result on the test split."""
        return self.path / "result.npz"

    @property
    def raster(self) -> Path:
        """All spikes of one test sample, for the report."""
        return self.path / "raster.npz"

    @property
    def summary(self) -> Path:
        """The summary of the run."""
        return self.path / "summary.json"

    @property
    def report(self) -> Path:
        """The report page."""
        return self.path / "report.html"

    @property
    def finished(self) -> bool:
        """Whether the folder holds a finished run."""
        return self.summary.exists()

    def begin(self, recipe: Path) -> None:
        """Create the folder, store the recipe in it, delete an earlier summary; raises InputError if that fails."""
        content = recipe.read_bytes()
        if recipe.resolve() != self.recipe.resolve():
            write_bytes(self.recipe, content)
        self.summary.unlink(missing_ok=True)

    def keep(self, save: Callable[[Path], None], name: str) -> None:
        """Write a trained network ("network" or "ann") by its own `save`, replacing an older release's."""
        path = self.path / f"{name}{ENDING}"
        save(path)
        drop_old(path)

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write summary.json atomically."""
        write_text(self.summary, json_text(summary, indent=2) + "\n")
