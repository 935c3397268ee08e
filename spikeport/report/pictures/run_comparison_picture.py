"""Two runs in the same charts: dots for the first, diamonds for the second, so that colour is not needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.report.scores import has_interval, score
from spikeport.report.units import count, estimate
from spikeport.summary import Summary

from .chart_axes import Scale, axis, chart, heading, linear, logarithmic, shares, track
from .charts import answers, interval, wilson
from .svg import dot, element, line

_ROW, _TRACK, _FOOT = 68.0, 34.0, 22.0


@dataclass(frozen=True)
class PairRow:
    """One row: a name, and for both runs the text and the range that is drawn, None if it was not run."""

    name: str
    words: tuple[str, str]
    ranges: tuple[Estimate | None, Estimate | None]


def accuracy_pair(first: Summary, second: Summary) -> Markup:
    """The four networks of both runs, with 95 % intervals of shares; the second's only if it has the first's metric."""
    metric, rows = first.scores.metric, []
    sizes = [summary.test_samples if has_interval(metric) else 0 for summary in (first, second)]
    both = [answers(s.scores) for s in (first, second)]
    comparable = metric == second.scores.metric
    for (name, detail, a, _), (_, _, other, _) in zip(*both, strict=True):
        pairs = ((a, sizes[0]), (other if comparable else None, sizes[1]))
        words = tuple(
            f"{score(metric, s)} ({interval(s, n)})" if s is not None and n else score(metric, s) for s, n in pairs
        )
        intervals = tuple(_interval(s, n) for s, n in pairs)
        rows.append(PairRow(f"{name}, {detail}", (words[0], words[1]), (intervals[0], intervals[1])))
    ranges = [r for row in rows for r in row.ranges if r is not None]
    title = f"{metric.title} of both runs{' with 95 % intervals' if has_interval(metric) else ''}"
    if metric.is_share:
        return _chart(title, rows, shares(min((r.low for r in ranges), default=0.0)))
    return _chart(title, rows, linear(max((r.high for r in ranges), default=1.0), ""))


def cost_pair(first: Summary, second: Summary) -> list[tuple[str, Markup]]:
    """Energy, latency and spikes of one inference of both runs, each with its title."""
    a, b = first.per_inference, second.per_inference
    if a is None or b is None:
        return []
    energies = [
        _cost_row("Energy", "J", a.energy, b.energy),
        _cost_row("Dynamic", "J", a.dynamic_j.range, b.dynamic_j.range),
        _cost_row("Static", "J", a.static_j.range, b.static_j.range),
    ]
    latency = [_cost_row("Latency", "s", a.latency, b.latency)]
    counts = [
        PairRow(name, (count(x), count(y)), (Estimate.exact(x), Estimate.exact(y)))
        for name, x, y in (
            ("Spikes", a.spikes, b.spikes),
            ("Synaptic operations", a.synops, b.synops),
            ("Neuron updates", a.neuron_updates, b.neuron_updates),
        )
    ]
    return [
        ("Energy, estimate", _chart("Estimated energy, logarithmic axis", energies, _scale(energies, "J"))),
        ("Latency, estimate", _chart("Estimated latency, logarithmic axis", latency, _scale(latency, "s"))),
        ("Activity, exact", _chart("Activity, logarithmic axis", counts, _scale(counts, ""))),
    ]


def mark(second: bool) -> Markup:
    """A run's mark, for the legend."""
    shape = _diamond(11, 9) if second else dot(11, 9, 6, "point chip")
    return element("svg", element("svg", shape, x=0, y=0, overflow="visible"), width=22, height=18, aria_hidden="true")


def _interval(share: float | None, samples: int) -> Estimate | None:
    if share is None:
        return None
    low, high = wilson(share, samples) if samples else (share, share)
    return Estimate(low, share, high)


def _cost_row(name: str, unit: str, first: Estimate, second: Estimate) -> PairRow:
    return PairRow(name, (estimate(first, unit), estimate(second, unit)), (first, second))


def _scale(rows: Sequence[PairRow], unit: str) -> Scale:
    return logarithmic(
        (v for row in rows for r in row.ranges if r is not None for v in (r.low, r.typical, r.high)), unit, 4
    )


def _chart(title: str, rows: Sequence[PairRow], scale: Scale) -> Markup:
    marks, words = [], []
    for index, row in enumerate(rows):
        y = _ROW * index
        marks += heading(y + 14, row.name, "", "", "")
        for side, value in enumerate(row.ranges):
            if value is None or value.high <= 0:
                continue
            at = y + 22 + _TRACK * (0.29 if side == 0 else 0.71)
            style = "ann" if side else "chip"
            marks.append(line(scale.x(value.low), at, scale.x(value.high), at, f"span {style}"))
            marks.append(_diamond(scale.x(value.typical), at) if side else dot(scale.x(value.typical), at, 5.5,
                                                                                 "point chip"))  # fmt: skip
        words.append(f"{row.name} A {row.words[0]}, B {row.words[1]}")
    bands = [(_ROW * i + 22, _ROW * i + 22 + _TRACK) for i in range(len(rows))]
    bottom = _ROW * len(rows) - 8
    ground = [track(top, _TRACK) for top, _ in bands]
    return chart(f"{title}: {'; '.join(words)}.", bottom + _FOOT, [*ground, *axis(scale, bands, bottom), *marks])


def _diamond(x: float | str, y: float) -> Markup:
    # a nested picture positions the shape at a share of the width
    shape = element("path", d="M0-7L7 0L0 7L-7 0z", class_="point ann")
    return element("svg", shape, x=x, y=y, overflow="visible")
