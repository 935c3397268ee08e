"""A finished run's folder: its summary, its network, its report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from spikeport.exporter.compile_options import DEFAULTS, CompileOptions
from spikeport.exporter.nir_graph.nir_file import read_nir
from spikeport.exporter.program.chip_file import load_program
from spikeport.report import print_summary, write_report
from spikeport.report.run_comparison import recipe_of
from spikeport.results.shown import Shown
from spikeport.run.run_folder import RunFolder
from spikeport.summary import Summary, read_summary

from .network import Network


@dataclass(frozen=True, repr=False)
class FinishedRun(Shown):
    """The results of `spikeport run`."""

    folder: RunFolder

    @property
    def network(self) -> Network:
        """The compiled network, model.chip, with the graph it was compiled from; raises InputError."""
        summary = self.summary
        program, source = load_program(self.folder.chip), read_nir(self.folder.nir)
        if summary.compiled is not None:
            chip, options = summary.compiled.profile, summary.compiled.options
        else:
            # older runs record only in the recipe what changes the steps at which layers run
            sums: Any = recipe_of(self.folder.path).get("sums", DEFAULTS.sums)
            chip, options = summary.chip, CompileOptions(sums=sums)
        return Network(program, str(self.folder.nir), chip, source, options)

    @property
    def summary(self) -> Summary:
        """summary.json; raises InputError if there is none, or it is truncated or lacks a field."""
        return read_summary(self.folder.summary)

    def to_dict(self) -> dict[str, Any]:
        """summary.json in plain values; raises InputError as `summary` does."""
        return self.summary.to_dict()

    def report(self) -> Path:
        """Rebuild report.html from summary.json and raster.npz; returns its path."""
        return write_report(self.folder.path)

    def show(self, console: Console) -> None:
        """Print the verdict and a table."""
        print_summary(self.summary, console)


Run = FinishedRun
"""An alias."""
