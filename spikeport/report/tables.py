"""The rows of the page's tables, every number already said in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from lava_runtime.costs import Range

from .model import Device, DeviceCost, Layer, Rounding, Summary
from .units import (
    DASH,
    NONE,
    NOT_RUN,
    count,
    estimate,
    percent,
    plain,
    plural,
    quantity,
    seconds,
    shape,
    si,
    si_range,
    significant,
)
from .verdict import against

_ROUNDED = ("weight_error_rms", "weight_error_max", "du_error", "dv_error", "vth_error", "bias_error")


@dataclass(frozen=True)
class Figure:
    """A key figure: what, how much, and the small print."""

    name: str
    value: str
    detail: str = ""


@dataclass(frozen=True)
class ConstantRow:
    """A constant of a profile; source: its number in the list of sources."""

    name: str
    value: str
    bounds: str
    kind: str
    date: str
    source: int
    note: str


def key_figures(summary: Summary) -> list[Figure]:
    """The numbers that stand at the top."""
    chip, mapping, accuracy = summary.per_inference, summary.mapping, summary.accuracy
    found = [
        Figure(
            "Accuracy on chip integers",
            percent(accuracy.fixed),
            f"float {percent(accuracy.float)}, ANN {percent(accuracy.ann)}",
        ),
        Figure("Same answer as in float", percent(summary.agreement), plural(summary.test_samples, "test sample")),
        Figure("Lava equals emulator", yes_no(summary.lava_equals_emulator), "batched processes"),
        Figure("Stock Lava equals it", yes_no(summary.stock_equals_emulator), "lava.proc processes"),
    ]
    if chip is None:
        found += [Figure("Energy per inference", NOT_RUN, "estimate"), Figure("Latency", NOT_RUN, "estimate")]
    else:
        energy, latency = chip.energy, chip.latency
        found += [
            Figure(
                "Energy per inference", si(energy.typical, "J"), f"estimate, {si_range(energy.low, energy.high, 'J')}"
            ),
            Figure("Latency", si(latency.typical, "s"), f"estimate, {si_range(latency.low, latency.high, 's')}"),
        ]
    cores = NOT_RUN if mapping is None else plain(mapping.cores)
    found.append(Figure("Cores", cores, "" if mapping is None else f"of {plain(mapping.cores_per_chip)} on a chip"))
    spikes = NOT_RUN if chip is None else count(chip.spikes)
    synops = "" if chip is None else f"{count(chip.synops)} synaptic operations"
    found.append(Figure("Spikes per inference", spikes, synops))
    return found


def rounding(summary: Summary) -> list[tuple[str, list[str]]]:
    """One row a rounded layer: scale, then the relative errors."""
    return [(layer.name, _rounded(layer.quantisation)) for layer in summary.layers if layer.quantisation is not None]


def layers(summary: Summary) -> list[tuple[Layer, str, str]]:
    """One row a layer: the layer, its shape, its estimated dynamic energy."""
    return [(layer, shape(layer.shape), estimate(layer.energy, "J")) for layer in summary.layers]


def contest(summary: Summary) -> list[list[str]]:
    """One row for the chip and one for each device and precision."""
    chip = summary.per_inference
    rows = []
    if chip is not None:
        costs = (chip.energy, chip.dynamic_j.range, chip.static_j.range, chip.latency)
        operations = f"{count(chip.synops)} synops"
        rows.append([summary.chip_title, "SNN, chip integers", operations, *_costs(*costs), DASH])
    for device, entry in entries(summary):
        costs = (entry.energy, entry.dynamic_j.range, entry.static_j.range, entry.latency)
        judged = DASH if chip is None else against(chip.energy, entry.energy)
        rows.append([device.title, f"ANN, {entry.precision}", f"{count(entry.macs)} MACs", *_costs(*costs), judged])
    return rows


def entries(summary: Summary) -> Iterator[tuple[Device, DeviceCost]]:
    """Every device at every precision."""
    for device in summary.ann.values():
        yield device, device
        if device.int8 is not None:
            yield device, device.int8


def batched_entries(summary: Summary) -> Iterator[tuple[Device, DeviceCost]]:
    """Every device at every precision, at batch 1 and at the batch that costs least, where that is another."""
    for device in summary.ann.values():
        for entry in (device, device.int8):
            if entry is not None:
                yield device, entry
                if entry.best_batch is not None:
                    yield device, entry.best_batch


def constants(summary: Summary) -> tuple[list[tuple[str, list[ConstantRow]]], list[str]]:
    """Constants by profile, and the sources they point at by number from one."""
    sources = list(dict.fromkeys(constant.source for constant in summary.constants))
    places = {source: index for index, source in enumerate(sources, start=1)}
    titles = {summary.chip: summary.chip_title} | {name: device.title for name, device in summary.ann.items()}
    tables = []
    for profile, group in groupby(summary.constants, key=lambda constant: constant.profile):
        rows = [
            ConstantRow(
                c.name,
                quantity(c.value, c.unit),
                _bounds(c.low, c.high, c.unit),
                c.kind,
                c.date,
                places[c.source],
                c.note,
            )
            for c in group
        ]
        tables.append((titles.get(profile, profile), rows))
    return tables, sources


def stages(summary: Summary) -> list[tuple[str, str]]:
    """Wall-clock time by stage, and the sum."""
    rows = [(name, seconds(value)) for name, value in summary.seconds.items()]
    return [*rows, ("together", seconds(total_seconds(summary)))]


def total_seconds(summary: Summary) -> float:
    """Wall-clock time of all stages that ran."""
    return sum(value for value in summary.seconds.values() if value is not None)


def yes_no(value: bool | None) -> str:
    """A check's result in words."""
    return NOT_RUN if value is None else "yes" if value else "no"


def _rounded(found: Rounding) -> list[str]:
    scale = NONE if found.scale is None else significant(found.scale, 3)
    shares = (getattr(found, name) for name in _ROUNDED)
    current = NONE if found.current_bound is None else percent(found.current_bound)
    return [scale, *(NONE if share is None else _small_percent(share) for share in shares), current]


def _small_percent(share: float) -> str:
    return "0" if share == 0 else percent(share, 2)


def _costs(*ranges: Range) -> Sequence[str]:
    *energies, latency = ranges
    return [*(estimate(energy, "J") for energy in energies), estimate(latency, "s")]


def _bounds(low: float | None, high: float | None, unit: str) -> str:
    if low is None and high is None:
        return ""
    # a bound that is missing equals the value and is not repeated
    if low is None or high is None:
        known = low if high is None else high
        return f"{'from' if high is None else 'up to'} {quantity(known or 0.0, unit)}"
    if unit in ("J", "s", "W") or unit.endswith("/s"):
        return si_range(low, high, unit)
    return f"{plain(low)}{DASH}{quantity(high, unit)}"
