"""Energy of a day at N inferences an hour, on the chip and on every device, waiting included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from spikeport.common.errors import InputError
from spikeport.console.tables import show_table
from spikeport.lava_runtime.cost_model.duty import energy_of_a_day, waiting_power
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.report.terminal import escape_for_console
from spikeport.report.units import estimate, plain
from spikeport.report.verdict import against
from spikeport.summary import Summary
from spikeport.summary.model import BatchOne

# inferences an hour, far beyond any device's
_MOST = 1e12


@dataclass(frozen=True)
class DayRow:
    """One place: watts while it waits, whether those are of a published sleep state, joules of a day.

    energy: None if the inferences take longer than a day.
    """

    name: str
    waiting: Estimate
    sleeps: bool
    energy: Estimate | None


def day_rows(summary: Summary, per_hour: float) -> list[DayRow]:
    """The chip first, if it was profiled, then every device at batch 1; raises InputError as check_per_hour."""
    check_per_hour(per_hour)
    return list(_rows(summary, per_hour))


def check_per_hour(per_hour: float) -> None:
    """Raise InputError unless that many inferences an hour are possible."""
    if not 0 < per_hour <= _MOST:
        raise InputError(f"--per-hour: give a number of inferences above 0 and up to {_MOST:g}, not {per_hour:g}")


def _rows(summary: Summary, per_hour: float) -> Iterator[DayRow]:
    chip = summary.per_inference
    if chip is not None:
        waiting = waiting_power(chip.static_j.range, chip.latency)
        yield DayRow(summary.chip_title, waiting, False, energy_of_a_day(chip.energy, chip.latency, waiting, per_hour))
    for device in summary.ann.values():
        entries: list[BatchOne] = [device] if device.int8 is None else [device, device.int8]
        for cost in entries:
            sleep = None if cost.sleep_w is None else cost.sleep_w.range
            waiting = waiting_power(cost.static_j.range, cost.latency, sleep)
            energy = energy_of_a_day(cost.energy, cost.latency, waiting, per_hour)
            yield DayRow(f"{device.title}, {cost.precision}", waiting, sleep is not None, energy)


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
