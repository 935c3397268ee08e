"""The table of `spikeport compare`: the network on the chip, its ANN twin on each device."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from .report.model import DeviceCost, PerInference, parse_summary
from .report.tables import entries
from .report.units import NARROW, estimate, percent, plain
from .report.verdict import against


def print_comparison(summary: dict[str, Any], console: Console) -> None:
    """Energy and latency of one inference with ranges, and who needs less; raises InputError for a bad summary."""
    found = parse_summary(summary, "summary.json")
    chip = found.per_inference
    table = Table(
        "", "accuracy", "operations", "energy", "latency", "beside the chip", title="one inference, estimates"
    )
    if chip is not None:
        row = (
            found.chip_title,
            percent(found.accuracy.fixed),
            f"{plain(round(chip.synops))} synops",
            *_costs(chip),
            "",
        )
        table.add_row(*map(_said, row))
    for device, cost in entries(found):
        accuracy = found.accuracy.ann_int8 if cost.precision == "int8" else found.accuracy.ann
        judged = "" if chip is None else against(chip.energy, cost.energy)
        operations = f"{plain(cost.macs)} MACs"
        row = (f"{device.title}, {cost.precision}", percent(accuracy), operations, *_costs(cost), judged)
        table.add_row(*map(_said, row))
    console.print(table)
    console.print("The chip's latency and energy are without input and output of the host.", highlight=False)


def _costs(cost: PerInference | DeviceCost) -> tuple[str, str]:
    return estimate(cost.energy, "J"), estimate(cost.latency, "s")


def _said(text: str) -> str:
    # narrow spaces are missing in many terminal fonts
    return text.replace(NARROW, " ")
