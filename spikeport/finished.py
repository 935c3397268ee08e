"""A finished run's folder: its summary, its network, its report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from .folder import RunFolder
from .network import Network, compile_network
from .report import print_summary, write_report
from .results.shown import Shown


@dataclass(frozen=True, repr=False)
class Run(Shown):
    """What `spikeport run` wrote."""

    folder: RunFolder

    @property
    def network(self) -> Network:
        """The network as it was compiled, with the graph it was made from; raises InputError."""
        summary = self.parts()
        compiled = compile_network(self.folder.nir, summary["chip"])
        return Network(compiled.program, str(self.folder.nir), compiled.chip, compiled.source)

    def parts(self) -> dict[str, Any]:
        """summary.json; raises InputError if there is none or it is truncated."""
        return self.folder.read_summary()

    def report(self) -> Path:
        """Write report.html anew from summary.json and raster.npz; returns where it lies."""
        return write_report(self.folder.path)

    def show(self, console: Console) -> None:
        """The verdict and a table."""
        print_summary(self.parts(), console)
