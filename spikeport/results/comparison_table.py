"""The table of `spikeport compare`: the network on the chip and its ANN twin on each device."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from spikeport.console.tables import show_table
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.report.outside import outside_sentences
from spikeport.report.scores import score
from spikeport.report.units import NARROW, estimate, percent, plain, si
from spikeport.report.verdict import against, ann_better
from spikeport.summary import PerInference, Summary, Workload

from .ann_comparison import ComparisonRow, comparison_rows, outcome_sentences


def print_comparison(summary: Summary, console: Console) -> None:
    """Print energy, latency and their product for one inference, and which needs less."""
    chip, others = summary.per_inference, comparison_rows(summary)
    metric = summary.scores.metric
    table = Table(
        *(
            "",
            metric.name.replace("_", " "),
            "operations",
            "energy",
            "latency",
            "energy x delay",
            "compared with the chip",
            "break-even",
        ),
        title="one inference, estimates",
    )
    if chip is not None:
        costs = _costs(chip.energy, chip.latency, chip.energy.typical * chip.latency.typical)
        row = (summary.chip_title, score(metric, summary.scores.fixed), f"{plain(round(chip.synops))} synops", *costs)
        table.add_row(*map(_plain_spaces, (*row, "", "")))
    for other in others:
        verdict = "" if chip is None else _verdict(chip, other)
        name = f"{other.title}, {other.precision}" + ("" if other.batch == 1 else f", batch {other.batch}")
        costs = _costs(other.energy, other.latency, other.energy_delay)
        row = (name, score(metric, other.accuracy), f"{plain(other.macs)} MACs", *costs)
        table.add_row(*map(_plain_spaces, (*row, verdict, break_even_label(other))))
    show_table(table, console, prose=(0, 6))
    first = ann_better(summary)
    outside = outside_sentences(summary)
    for sentence in (*([first] if first else []), *outcome_sentences(others), *outside, *_remarks(summary)):
        console.print(_plain_spaces(sentence), highlight=False)


def _verdict(chip: PerInference, other: ComparisonRow) -> str:
    return f"{against(chip.energy, other.energy)}; {against(chip.latency, other.latency, 'latency')}"


def comparison_dicts(summary: Summary) -> list[dict[str, Any]]:
    """The rows of the table in plain values."""
    return [row.to_dict() for row in comparison_rows(summary)]


def break_even_label(row: ComparisonRow) -> str:
    """The break-even sparsity as a table cell."""
    if row.break_even is None:
        return ""
    return row.break_even if isinstance(row.break_even, str) else f"sparsity {percent(row.break_even, 2)}"


def _remarks(summary: Summary) -> Iterable[str]:
    workload = summary.workload
    if workload is not None:
        yield (
            f"Present activation sparsity {percent(workload.activation_sparsity, 2)}; break-even: the sparsity at "
            "which the chip needs as much as that row; never: it always needs more; always: it needs less."
        )
        yield from _workload(workload)
    yield "In a batch an answer waits for the whole batch. The chip's latency and energy exclude the host's input."


def _workload(workload: Workload) -> Iterable[str]:
    """NeuroBench's metrics and those of the N-DNS challenge, if the run has them."""
    if workload.footprint_bytes is None or workload.power_proxy is None:
        return
    macs = f" and {plain(round(workload.effective_macs))} effective MACs" if workload.effective_macs else ""
    yield (
        f"NeuroBench: footprint {si(workload.footprint_bytes, 'B')}, connection sparsity "
        f"{percent(workload.connection_sparsity, 2)}, synaptic operations {plain(round(workload.effective_acs or 0))} "
        f"effective ACs{macs} of {plain(round(workload.dense_synops or 0))} dense. N-DNS: power proxy "
        f"{workload.power_proxy / 1e6:.3g} M-Ops/s, power-delay product {workload.power_delay_product or 0:.3g} Ops."
    )


def _costs(energy: Estimate, latency: Estimate, product: float) -> tuple[str, str, str]:
    return estimate(energy, "J"), estimate(latency, "s"), si(product, "J s")


def _plain_spaces(text: str) -> str:
    # narrow spaces are missing in many terminal fonts
    return text.replace(NARROW, " ")
