"""Energy of a day at N inferences an hour, on the chip and on every device, waiting included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from spikeport.common.errors import InputError
from spikeport.lava_runtime.cost_model.duty import energy_of_a_day, waiting_power
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.summary import Summary
from spikeport.summary.model import BatchOne

from .units import DASH, estimate, short_title
from .verdict import against

PER_HOUR = (1, 60, 3600)
"""Inferences an hour that the page shows."""
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


def day_table(summary: Summary) -> list[list[str]]:
    """One row for the chip and one for each device and precision: name, waiting power, a day at PER_HOUR, verdict.

    The verdict is of the second column. Empty without an estimate for the chip.
    """
    if summary.per_inference is None:
        return []
    columns = [day_rows(summary, per_hour) for per_hour in PER_HOUR]
    chip = columns[1][0].energy
    table = []
    for number, rows in enumerate(zip(*columns, strict=True)):
        first, middle = rows[0], rows[1].energy
        waits = f"{estimate(first.waiting, 'W')}, {'asleep' if first.sleeps else 'idle'}"
        days = ["longer than a day" if row.energy is None else estimate(row.energy, "J") for row in rows]
        compared = DASH if number == 0 or chip is None or middle is None else against(chip, middle)
        title, *precision = first.name.rsplit(", ", 1)
        table.append([", ".join([short_title(title), *precision]), waits, *days, compared])
    return table
