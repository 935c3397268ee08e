"""Two runs in the same charts: the first a dot, the second a diamond, so that no colour is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.report.units import count, estimate, percent
from spikeport.summary import Summary

from .chart_axes import Scale, axis, chart, heading, logarithmic, shares, track
from .charts import answers, interval, wilson
from .svg import dot, element, line

_ROW, _TRACK, _FOOT = 68.0, 34.0, 22.0


@dataclass(frozen=True)
class Twin:
    """One row: a name, and for both runs what is said and the range that is drawn, None where it was not run."""

    name: str
    words: tuple[str, str]
    ranges: tuple[Estimate | None, Estimate | None]


def accuracy_pair(first: Summary, second: Summary) -> Markup:
    """The four networks of both runs, with 95 % intervals."""
    twins = []
    for (name, detail, a, _), (_, _, b, _) in zip(answers(first.accuracy), answers(second.accuracy), strict=True):
        words = tuple(
            f"{percent(s)} ({interval(s, n)})" if s is not None else percent(s)
            for s, n in ((a, first.test_samples), (b, second.test_samples))
        )
        found = tuple(_interval(s, n) for s, n in ((a, first.test_samples), (b, second.test_samples)))
        twins.append(Twin(f"{name}, {detail}", (words[0], words[1]), (found[0], found[1])))
    least = min((r.low for twin in twins for r in twin.ranges if r is not None), default=0.0)
    return _chart("Accuracy of both runs with 95 % intervals", twins, shares(least))


def cost_pair(first: Summary, second: Summary) -> list[tuple[str, Markup]]:
    """Energy, latency and spikes of one inference of both runs, each with its title."""
    a, b = first.per_inference, second.per_inference
    if a is None or b is None:
        return []
    energies = [
        _twin("Energy", "J", a.energy, b.energy),
        _twin("Dynamic", "J", a.dynamic_j.range, b.dynamic_j.range),
        _twin("Static", "J", a.static_j.range, b.static_j.range),
    ]
    latency = [_twin("Latency", "s", a.latency, b.latency)]
    counts = [
        Twin(name, (count(x), count(y)), (Estimate.exact(x), Estimate.exact(y)))
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
    """A run's mark, for the words beside it."""
    shape = _diamond(11, 9) if second else dot(11, 9, 6, "point chip")
    return element("svg", element("svg", shape, x=0, y=0, overflow="visible"), width=22, height=18, aria_hidden="true")


def _interval(share: float | None, samples: int) -> Estimate | None:
    if share is None:
        return None
    low, high = wilson(share, samples) if samples else (share, share)
    return Estimate(low, share, high)


def _twin(name: str, unit: str, first: Estimate, second: Estimate) -> Twin:
    return Twin(name, (estimate(first, unit), estimate(second, unit)), (first, second))


def _scale(twins: Sequence[Twin], unit: str) -> Scale:
    return logarithmic(
        (v for twin in twins for r in twin.ranges if r is not None for v in (r.low, r.typical, r.high)), unit, 4
    )


def _chart(title: str, twins: Sequence[Twin], scale: Scale) -> Markup:
    marks, words = [], []
    for index, twin in enumerate(twins):
        y = _ROW * index
        marks += heading(y + 14, twin.name, "", "", "")
        for place, found in enumerate(twin.ranges):
            if found is None or found.high <= 0:
                continue
            at = y + 22 + _TRACK * (0.29 if place == 0 else 0.71)
            style = "ann" if place else "chip"
            marks.append(line(scale.x(found.low), at, scale.x(found.high), at, f"span {style}"))
            marks.append(_diamond(scale.x(found.typical), at) if place else dot(scale.x(found.typical), at, 5.5,
                                                                                 "point chip"))  # fmt: skip
        words.append(f"{twin.name} A {twin.words[0]}, B {twin.words[1]}")
    bands = [(_ROW * i + 22, _ROW * i + 22 + _TRACK) for i in range(len(twins))]
    bottom = _ROW * len(twins) - 8
    ground = [track(top, _TRACK) for top, _ in bands]
    return chart(f"{title}: {'; '.join(words)}.", bottom + _FOOT, [*ground, *axis(scale, bands, bottom), *marks])


def _diamond(x: float | str, y: float) -> Markup:
    # a nested picture puts the shape at a share of the width
    shape = element("path", d="M0-7L7 0L0 7L-7 0z", class_="point ann")
    return element("svg", shape, x=x, y=y, overflow="visible")
