"""The table of `spikeport compare`: the network on the chip, its ANN twin on each device, and who wins where."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.report.units import NARROW, estimate, percent, plain, si
from spikeport.report.verdict import against
from spikeport.summary import Summary, Workload

from .ann_comparison import Row, rows, winners


def print_comparison(found: Summary, console: Console) -> None:
    """Energy, latency and their product for one inference, and who needs less."""
    chip, contest = found.per_inference, rows(found)
    table = Table(
        *("", "accuracy", "operations", "energy", "latency", "energy x delay", "beside the chip", "break-even"),
        title="one inference, estimates",
    )
    if chip is not None:
        costs = _costs(chip.energy, chip.latency, chip.energy.typical * chip.latency.typical)
        row = (found.chip_title, percent(found.accuracy.fixed), f"{plain(round(chip.synops))} synops", *costs)
        table.add_row(*map(_said, (*row, "", "")))
    for other in contest:
        judged = "" if chip is None else against(chip.energy, other.energy)
        name = f"{other.title}, {other.precision}" + ("" if other.batch == 1 else f", batch {other.batch}")
        costs = _costs(other.energy, other.latency, other.energy_delay)
        row = (name, percent(other.accuracy), f"{plain(other.macs)} MACs", *costs)
        table.add_row(*map(_said, (*row, judged, break_even_said(other))))
    console.print(table)
    for sentence in (*winners(contest), *_remarks(found)):
        console.print(_said(sentence), highlight=False)


def comparison_parts(summary: Summary) -> list[dict[str, Any]]:
    """The rows of the table in plain values."""
    return [row.parts() for row in rows(summary)]


def break_even_said(row: Row) -> str:
    """The sparsity that the spiking network needs, in words."""
    if row.break_even is None:
        return ""
    return row.break_even if isinstance(row.break_even, str) else f"sparsity {percent(row.break_even, 2)}"


def _remarks(summary: Summary) -> Iterable[str]:
    workload = summary.workload
    if workload is not None:
        yield (
            f"Present activation sparsity {percent(workload.activation_sparsity, 2)}; break-even: the sparsity at "
            "which the chip needs what that row does; never: it needs more without a spike, always: less in any case."
        )
        yield from _workload(workload)
    yield "In a batch an answer waits for the whole call. The chip's latency and energy are without the host's input."


def _workload(found: Workload) -> Iterable[str]:
    """NeuroBench's metrics and those of the N-DNS challenge, where the run has them."""
    if found.footprint_bytes is None or found.power_proxy is None:
        return
    macs = f" and {plain(round(found.effective_macs))} effective MACs" if found.effective_macs else ""
    yield (
        f"NeuroBench: footprint {si(found.footprint_bytes, 'B')}, connection sparsity "
        f"{percent(found.connection_sparsity, 2)}, synaptic operations {plain(round(found.effective_acs or 0))} "
        f"effective ACs{macs} of {plain(round(found.dense_synops or 0))} dense. N-DNS: power proxy "
        f"{found.power_proxy / 1e6:.3g} M-Ops/s, power-delay product {found.power_delay_product or 0:.3g} Ops."
    )


def _costs(energy: Estimate, latency: Estimate, product: float) -> tuple[str, str, str]:
    return estimate(energy, "J"), estimate(latency, "s"), si(product, "J s")


def _said(text: str) -> str:
    # narrow spaces are missing in many terminal fonts
    return text.replace(NARROW, " ")
