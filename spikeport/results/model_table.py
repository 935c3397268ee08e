"""One model on several chips, and an ANN on devices, in one table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from spikeport.console.tables import show_table
from spikeport.report.outside import outside_sentences
from spikeport.report.terminal import escape_for_console
from spikeport.report.units import estimate, percent, plain
from spikeport.summary import Summary

from .ann_comparison import comparison_rows


def print_models(summaries: Sequence[Summary], console: Console) -> None:
    """Print a row per chip, then one per device of the ANN, which is the same for all chips."""
    table = Table(
        *("", "accuracy", "same answer as float", "cores", "energy", "latency"),
        title=escape_for_console(f"{summaries[0].recipe}, one inference, estimates", console),
    )
    for summary in summaries:
        table.add_row(*(escape_for_console(cell, console) for cell in _chip_row(summary)))
    for row in comparison_rows(summaries[0]):
        cells = (
            f"ANN, {row.name}",
            percent(row.accuracy),
            "",
            "",
            estimate(row.energy, "J"),
            estimate(row.latency, "s"),
        )
        table.add_row(*(escape_for_console(cell, console) for cell in cells))
    show_table(table, console)
    for sentence in (sentence for summary in summaries for sentence in outside_sentences(summary)):
        console.print(escape_for_console(sentence, console), highlight=False)


def _chip_row(summary: Summary) -> tuple[str, ...]:
    cost, mapping = summary.per_inference, summary.mapping
    cores = "" if mapping is None else plain(mapping.cores) if mapping.fits else f"{plain(mapping.cores)}, do not fit"
    energy, latency = ("", "") if cost is None else (estimate(cost.energy, "J"), estimate(cost.latency, "s"))
    return (
        summary.chip_title, percent(summary.accuracy.fixed), percent(summary.agreement), cores, energy, latency
    )  # fmt: skip
