"""The rows of the page's tables, with every number formatted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.report.pictures.charts import answers, interval
from spikeport.summary import Device, DeviceCost, Layer, LayerFidelity, Rounding, Summary

from .scores import has_interval, score, seeds_title
from .units import (
    DASH,
    MINUS,
    NONE,
    count,
    estimate,
    percent,
    plain,
    plural,
    quantity,
    seconds,
    shape,
    short_title,
    si,
    si_range,
    significant,
)
from .verdict import against

_ROUNDED = ("weight_error_rms", "weight_error_max", "du_error", "dv_error", "vth_error", "bias_error")


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


def what_ran(summary: Summary) -> list[tuple[str, str]]:
    """What was run, as names and words; values missing in the summary are omitted."""
    rows = [
        ("Recipe" if summary.training else "Model", summary.recipe),
        ("Data", f"{summary.dataset}, {plural(summary.test_samples, 'test sample')}"),
        ("Network", _size(summary) if summary.layers else ""),
    ]
    if training := summary.training:
        seeds = f"seed {training.seed}" if summary.seeds is None else seeds_title(summary)
        trained = f"{training.method}, {plural(training.epochs, 'epoch')}, {seeds}"
        rows += [("Neurons", f"{training.neuron}; encoding: {training.encoding}"), ("Training", trained)]
    if task := summary.task:
        better = "more is better" if task.metric.more_is_better else "less is better"
        rows.append(("Task", f"{task.task}; loss: {task.loss}; metric: {task.metric.name}, {better}"))
    model_step = "" if summary.dt is None else f", {si(summary.dt, 's').replace('.00', '')} each in the model's time"
    rows += [
        ("Steps", f"{plain(summary.steps)} of input, {plain(summary.chip_steps)} on the chip{model_step}"),
        ("Chip", summary.chip_title),
        ("ANN twin on", ", ".join(short_title(device.title) for device in summary.ann.values())),
    ]
    return [(name, words) for name, words in rows if words]


def _size(summary: Summary) -> str:
    layers = [layer for layer in summary.layers if layer.kind != "input"]
    neurons, synapses = sum(layer.neurons for layer in layers), sum(layer.synapses for layer in layers)
    return f"{plural(len(layers), 'layer')}, {plural(neurons, 'neuron')}, {plural(synapses, 'synapse')}"


def accuracy_rows(summary: Summary) -> list[list[str]]:
    """One row for each of the four networks: name, the metric's value, 95 % interval."""
    scores = summary.scores
    samples = summary.test_samples if has_interval(scores.metric) else 0
    return [
        [f"{name}, {detail}", score(scores.metric, share), interval(share, samples) or NONE]
        for name, detail, share, _ in answers(scores, summary.float_twin)
    ]


def fidelity(summary: Summary) -> list[list[str]]:
    """One row per layer: spikes in float and on the chip, relative difference, share and first step that differ."""
    difference = summary.difference
    return [] if difference is None else [_fidelity(layer) for layer in difference.layers]


def _fidelity(layer: LayerFidelity) -> list[str]:
    first = NONE
    if layer.first is not None:
        position = f"step {plain(layer.first.step)}, sample {layer.first.sample}, neuron "
        first = f"{position}{', '.join(map(str, layer.first.neuron))}: "
        first += "only the chip spikes" if layer.first.chip_spikes else "only float spikes"
    rate = NONE
    if layer.rate_error is not None:
        sign = "+" if layer.rate_error > 0 else MINUS if layer.rate_error < 0 else ""
        rate = f"{sign}{_small_percent(abs(layer.rate_error), 3)}"
    return [
        layer.name, count(layer.float_spikes), count(layer.chip_spikes), rate,
        _small_percent(layer.differing_share, 3), first, percent(layer.u_peak),
    ]  # fmt: skip


def rounding(summary: Summary) -> list[tuple[str, list[str]]]:
    """One row per rounded layer: scale, then the relative errors."""
    return [(layer.name, _rounded(layer.quantisation)) for layer in summary.layers if layer.quantisation is not None]


def layers(summary: Summary) -> list[tuple[Layer, str, str]]:
    """One row per layer: the layer, its shape, its estimated dynamic energy."""
    return [(layer, shape(layer.shape), estimate(layer.energy, "J")) for layer in summary.layers]


def cost_rows(summary: Summary) -> list[list[str]]:
    """One row for the chip and one for each device and precision."""
    chip = summary.per_inference
    rows = []
    if chip is not None:
        costs = (chip.energy, chip.dynamic_j.range, chip.static_j.range, chip.latency)
        operations = f"{count(chip.synops)} synops"
        rows.append([summary.chip_title, "SNN, chip integers", operations, *_costs(*costs), DASH])
    for device, entry in batched_entries(summary):
        costs = (entry.energy, entry.dynamic_j.range, entry.static_j.range, entry.latency)
        verdict = DASH
        if chip is not None:
            verdict = f"{against(chip.energy, entry.energy)}; {against(chip.latency, entry.latency, 'latency')}"
        batch = "" if entry.batch == 1 else f", batch {plain(entry.batch)}"
        rows.append(
            [device.title, f"ANN, {entry.precision}{batch}", f"{count(entry.macs)} MACs", *_costs(*costs), verdict]
        )
    return rows


def entries(summary: Summary) -> Iterator[tuple[Device, DeviceCost]]:
    """Every device at every precision."""
    for device in summary.ann.values():
        yield device, device
        if device.int8 is not None:
            yield device, device.int8


def batched_entries(summary: Summary) -> Iterator[tuple[Device, DeviceCost]]:
    """Every device at every precision, at batch 1 and at the cheapest batch if that differs."""
    for device in summary.ann.values():
        for entry in (device, device.int8):
            if entry is not None:
                yield device, entry
                if entry.best_batch is not None:
                    yield device, entry.best_batch


def constants(summary: Summary) -> tuple[list[tuple[str, list[ConstantRow]]], list[str]]:
    """Constants by profile, and the sources they refer to, numbered from one."""
    sources = list(dict.fromkeys(constant.source for constant in summary.constants))
    numbers = {source: index for index, source in enumerate(sources, start=1)}
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
                numbers[c.source],
                c.note,
            )
            for c in group
        ]
        tables.append((titles.get(profile, profile), rows))
    return tables, sources


def stages(summary: Summary) -> list[tuple[str, str]]:
    """Wall-clock time by stage, and the sum."""
    rows = [(name, seconds(value)) for name, value in summary.seconds.items()]
    return [*rows, ("total", seconds(total_seconds(summary)))]


def total_seconds(summary: Summary) -> float:
    """Wall-clock time of all stages that ran."""
    return sum(value for value in summary.seconds.values() if value is not None)


def _rounded(rounding: Rounding) -> list[str]:
    scale = NONE if rounding.scale is None else significant(rounding.scale, 3)
    shares = (getattr(rounding, name) for name in _ROUNDED)
    current = NONE if rounding.current_bound is None else percent(rounding.current_bound)
    return [scale, *(NONE if share is None else _small_percent(share) for share in shares), current]


def _small_percent(share: float, decimals: int = 2) -> str:
    return "0" if share == 0 else percent(share, decimals)


def _costs(*ranges: Estimate) -> Sequence[str]:
    *energies, latency = ranges
    return [*(estimate(energy, "J") for energy in energies), estimate(latency, "s")]


def _bounds(low: float | None, high: float | None, unit: str) -> str:
    if low is None and high is None:
        return ""
    # a missing bound equals the value and is not repeated
    if low is None or high is None:
        known = low if high is None else high
        return f"{'from' if high is None else 'up to'} {quantity(known or 0.0, unit)}"
    if unit in ("J", "s", "W") or unit.endswith("/s"):
        return si_range(low, high, unit)
    return f"{plain(low)}{DASH}{quantity(high, unit)}"
