"""Differences between float and fixed point, as JSON and as a table on the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from spikeport import summary
from spikeport.common.errors import InputError
from spikeport.common.files import write_text
from spikeport.common.overwriting import refuse_inputs
from spikeport.console.tables import show_table
from spikeport.lava_runtime.diff_report import DiffReport, Divergence, LayerDifference
from spikeport.report.pictures.difference_picture import difference_picture
from spikeport.report.terminal import escape_for_console
from spikeport.report.units import MINUS, NONE, percent, plain

from .shown import Shown

_CAUSE_LABELS = {
    "weights": "weights rounded",
    "decays": "decays rounded",
    "thresholds": "thresholds rounded",
    "biases": "biases rounded",
    "delays": "delays rounded",
    "dynamics": "u and v rounded, wrapped, saturated",
}


@dataclass(frozen=True, repr=False)
class Difference(Shown):
    """Float compared with fixed point on a batch; arrays have one value per layer; read: the files it was made from."""

    report: DiffReport
    read: tuple[Path, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether every spike of every layer is the same."""
        return self.report.equal

    @property
    def same_winner(self) -> float:
        """Share of the samples with the same answer, by default the same winner."""
        return self.report.same_winner

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers, in the order of every array."""
        return tuple(layer.name for layer in self.report.layers)

    @property
    def differing(self) -> NDArray[np.float64]:
        """Share of (sample, neuron, step) at which the two differ."""
        return np.array([layer.share for layer in self.report.layers])

    @property
    def rate_error(self) -> NDArray[np.float64]:
        """(chip - float) / float of the spikes; NaN where only the chip spikes."""
        return np.array([np.nan if layer.rate_error is None else layer.rate_error for layer in self.report.layers])

    @property
    def u_peak(self) -> NDArray[np.float64]:
        """Largest |u| as a fraction of the register."""
        return np.array([layer.u_peak for layer in self.report.layers])

    @property
    def causes(self) -> dict[str, float]:
        """Cause -> its share of the output spikes that differ; empty for chips with integers of their own."""
        return {cause: self.report.share(cause) for cause in self.report.causes}

    def to_dict(self) -> dict[str, Any]:
        """Fractions, spikes per sample, steps of the chip from 0."""
        return difference_of(self.report).to_dict()

    def show(self, console: Console) -> None:
        """Print the first differences, the use of the registers, and the causes."""
        print_difference(self.report, console)

    def draw(self, path: str | Path) -> None:
        """Write a picture (.svg); raises InputError for another ending or if it cannot be written."""
        check_picture(path)
        refuse_inputs(path, self.read)
        write_text(path, str(difference_picture(self.report)) + "\n")


def check_picture(path: str | Path) -> None:
    """Raises InputError for a picture that is not .svg."""
    if Path(path).suffix != ".svg":
        raise InputError(f"{path}: pictures are .svg files; give --picture a name that ends in .svg")


def difference_of(report: DiffReport) -> summary.Difference:
    """The report as in summary.json: fractions, spikes per sample, steps of the chip from 0."""
    return summary.Difference(
        chip=report.chip,
        samples=report.samples,
        steps=report.steps,
        equal=report.equal,
        same_winner=report.same_winner,
        answer=report.answer,
        output=summary.OutputPlaces(differing=report.differing, compared=report.compared),
        layers=tuple(_layer_fidelity(layer, report.samples) for layer in report.layers),
        causes={
            cause: summary.Blame(differing=report.causes[cause], share=report.share(cause)) for cause in report.causes
        },
    )  # fmt: skip


def print_difference(report: DiffReport, console: Console) -> None:
    """Print the first differences, the use of the registers, and the causes."""
    table = Table("layer", "first difference", "differ", "rate error", "u at most", "v at limit")
    for layer in report.layers:
        row = [
            layer.name,
            NONE if layer.first is None else f"step {layer.first.step}, neuron {_neuron(layer.first)}",
            _share(layer.share),
            _signed(layer.rate_error),
            _register(layer),
            _share(layer.v_limited / layer.compared) if layer.has_registers else NONE,
        ]
        table.add_row(*(escape_for_console(cell, console) for cell in row))
    show_table(table, console)
    for sentence in _sentences(report):
        console.print(escape_for_console(sentence, console), highlight=False, soft_wrap=True)
    if report.equal or not report.causes:
        return
    blame = Table("only these rounded", "output spikes that differ", "share")
    for cause in report.causes:
        row = [_CAUSE_LABELS[cause], plain(report.causes[cause]), _share(report.share(cause), 1)]
        blame.add_row(*(escape_for_console(cell, console) for cell in row))
    show_table(blame, console)


def _share(share: float, decimals: int = 3) -> str:
    return percent(share, decimals if share else 0)


def _signed(error: float | None) -> str:
    """A relative error with its sign, or a dash if there is no reference."""
    if error is None:
        return NONE
    return f"{'+' if error > 0 else MINUS if error < 0 else ''}{_share(abs(error))}"


def _register(layer: LayerDifference) -> str:
    if not layer.has_registers:
        return NONE
    wraps = f", wraps at {_share(layer.u_beyond / layer.compared)}" if layer.u_beyond else ""
    return percent(layer.u_peak) + wraps


def _sentences(report: DiffReport) -> list[str]:
    if report.equal:
        return [f"every spike of every layer is the same, on {plain(report.samples)} samples of {report.steps} steps"]
    sentences = [
        f"same {report.answer} on {percent(report.same_winner)} of {plain(report.samples)} samples; of "
        f"{plain(report.compared)} output positions (sample, neuron, step) {plain(report.differing)} differ"
    ]
    layer = report.first_layer
    if layer is not None and layer.first is not None:
        who = "only the chip spikes" if layer.first.chip_spikes else "only the float network spikes"
        sentences.append(f"the first to differ is {layer.name}, {_position(layer.first)}: {who}")
    return sentences


def _position(first: Divergence) -> str:
    return f"step {first.step}, sample {first.sample}, neuron {_neuron(first)}"


def _neuron(first: Divergence) -> str:
    return ", ".join(map(str, first.neuron))


def _layer_fidelity(layer: LayerDifference, samples: int) -> summary.LayerFidelity:
    first = layer.first
    return summary.LayerFidelity(
        name=layer.name,
        neurons=layer.neurons,
        first=None if first is None else summary.First(
            step=first.step, sample=first.sample, neuron=list(first.neuron), chip_spikes=first.chip_spikes
        ),
        differing=layer.differing,
        differing_share=layer.share,
        float_spikes=layer.float_spikes / samples,
        chip_spikes=layer.chip_spikes / samples,
        rate_error=layer.rate_error,
        u_peak=layer.u_peak,
        u_beyond_share=layer.u_beyond / layer.compared,
        v_limited_share=layer.v_limited / layer.compared,
    )  # fmt: skip
