"""The table of `spikeport compare`: the network on the chip, its ANN twin on each device, and who wins where."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from lava_runtime.break_even import break_even_sparsity

from .report.model import DeviceCost, PerInference, Summary, parse_summary
from .report.tables import batched_entries
from .report.units import NARROW, estimate, percent, plain, plural, si
from .report.verdict import Outcome, against, outcome

_SAID = {
    Outcome.ANN_LESS: "The ANN needs less energy on",
    Outcome.APART: "The ranges overlap on",
    Outcome.CHIP_LESS: "The chip needs less energy than",
}


def print_comparison(summary: dict[str, Any], console: Console) -> None:
    """Energy, latency and their product for one inference, and who needs less; raises InputError for a bad summary."""
    found = parse_summary(summary, "summary.json")
    chip = found.per_inference
    table = Table(
        *("", "accuracy", "operations", "energy", "latency", "energy x delay", "beside the chip", "break-even"),
        title="one inference, estimates",
    )
    if chip is not None:
        row = (found.chip_title, percent(found.accuracy.fixed), f"{plain(round(chip.synops))} synops", *_costs(chip))
        table.add_row(*map(_said, (*row, "", "")))
    for device, cost in batched_entries(found):
        accuracy = found.accuracy.ann_int8 if cost.precision == "int8" else found.accuracy.ann
        judged = "" if chip is None else against(chip.energy, cost.energy)
        name = f"{device.title}, {cost.precision}" + ("" if cost.batch == 1 else f", batch {cost.batch}")
        row = (name, percent(accuracy), f"{plain(cost.macs)} MACs", *_costs(cost))
        table.add_row(*map(_said, (*row, judged, _break_even(found, cost))))
    console.print(table)
    for sentence in (*_winners(found), *_remarks(found)):
        console.print(sentence, highlight=False)


def _break_even(summary: Summary, cost: DeviceCost) -> str:
    """The activation sparsity that the spiking network needs for the chip to need less energy, by typical values."""
    chip, workload = summary.per_inference, summary.workload
    if chip is None or chip.silent_j is None or workload is None:
        return ""
    needed = break_even_sparsity(
        chip.silent_j.typical, chip.energy.typical, cost.energy.typical, workload.activation_sparsity
    )
    if needed is None:
        return "never"
    return "always" if needed == 0 else f"sparsity {percent(needed, 2)}"


def _winners(summary: Summary) -> Iterable[str]:
    """One sentence for each outcome: where the ANN needs less, where the chip does, where nothing can be said."""
    chip = summary.per_inference
    if chip is None:
        return
    names: dict[Outcome, list[str]] = {}
    for device, cost in batched_entries(summary):
        batch = "" if cost.batch == 1 else f" in batches of {cost.batch}"
        names.setdefault(outcome(chip.energy, cost.energy), []).append(f"{device.title}, {cost.precision}{batch}")
    for result, said in _SAID.items():
        if result in names:
            yield f"{said} {plural(len(names[result]), 'row')}: {'; '.join(names[result])}."


def _remarks(summary: Summary) -> Iterable[str]:
    workload = summary.workload
    if workload is not None:
        yield (
            f"Present activation sparsity {percent(workload.activation_sparsity, 2)}; break-even: the sparsity at "
            "which the chip needs what that row does; never: it needs more without a spike, always: less in any case."
        )
    yield "In a batch an answer waits for the whole call. The chip's latency and energy are without the host's input."


def _costs(cost: PerInference | DeviceCost) -> tuple[str, str, str]:
    product = cost.energy.typical * cost.latency.typical
    return estimate(cost.energy, "J"), estimate(cost.latency, "s"), si(product, "J s")


def _said(text: str) -> str:
    # narrow spaces are missing in many terminal fonts
    return text.replace(NARROW, " ")
