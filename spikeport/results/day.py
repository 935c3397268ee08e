"""`compare --per-hour`: the energy of a day as a table."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from spikeport.console.tables import show_table
from spikeport.report.day import day_rows
from spikeport.report.terminal import escape_for_console
from spikeport.report.units import estimate, plain
from spikeport.report.verdict import against
from spikeport.summary import Summary


def print_day(summary: Summary, per_hour: float | None, console: Console) -> dict[str, Any]:
    """Print the day as a table; returns it as {"day": ...}, nothing without a number of inferences."""
    if per_hour is None:
        return {}
    rows = day_rows(summary, per_hour)
    chip = rows[0].energy if summary.per_inference is not None else None
    title = f"energy of a day at {plain(round(per_hour)) if per_hour >= 1 else f'{per_hour:g}'} inferences an hour"
    table = Table("", "while it waits", "energy of a day", "compared with the chip", title=title)
    for number, row in enumerate(rows):
        compared = "" if number == 0 or chip is None or row.energy is None else against(chip, row.energy)
        waits = f"{estimate(row.waiting, 'W')}, {'sleeps' if row.sleeps else 'idle'}"
        day = "takes longer than a day" if row.energy is None else estimate(row.energy, "J")
        table.add_row(*(escape_for_console(cell, console) for cell in (row.name, waits, day, compared)))
    show_table(table, console, prose=(0, 3))
    values = [asdict(row) for row in rows]
    return {"day": {"inferences_per_hour": per_hour, "rows": values}}
