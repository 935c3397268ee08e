"""The Pareto front of a sweep, and the plot of accuracy against energy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from spikeport.report.pictures.svg import clip, dot, line, path, standalone, text
from spikeport.report.scores import score
from spikeport.report.units import si
from spikeport.summary import Metric

from .scored import metric_of

_STYLE = (
    "text{font:12px sans-serif;fill:#222}.soft{fill:#666}.grid{stroke:#ddd}.span{stroke:#1a5fb4;stroke-opacity:.35}"
    ".point{fill:#9ab}.best{fill:#1a5fb4}.front{fill:none;stroke:#1a5fb4;stroke-width:1.5}"
)
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 760.0, 420.0, 70.0, 30.0, 40.0, 50.0


def front(rows: Sequence[dict[str, Any]]) -> list[int]:
    """Fitting points that no other fitting point equals or beats in both metric and energy, ordered by energy.

    Raises InputError for points of different metrics.
    """
    metric = metric_of(rows)
    fitting = [number for number, row in enumerate(rows) if row.get("fits")]
    sign = -1 if metric.more_is_better else 1
    fitting.sort(key=lambda n: (rows[n]["energy_j"], sign * rows[n][metric.name], n))
    best: list[int] = []
    for number in fitting:
        if not best or metric.better(rows[number][metric.name], rows[best[-1]][metric.name]):
            best.append(number)
    return best


def pareto_picture(name: str, rows: Sequence[dict[str, Any]], best: Sequence[int]) -> Markup:
    """The metric against energy of one inference, with energy ranges as lines and labels on the front."""
    shown = [number for number, row in enumerate(rows) if row.get("fits")]
    metric = metric_of(rows)
    title = f"{name}: {metric.name.replace('_', ' ')} against energy of one inference (estimate)"
    if not shown:
        return standalone(title, 60, [text(20, 34, "No point of the sweep fits its chip.")], _STYLE, _WIDTH)
    energies = [rows[n][key] for n in shown for key in ("energy_low_j", "energy_high_j")]
    first, last = math.floor(math.log10(min(energies))), math.ceil(math.log10(max(energies)))
    low, high = _span([rows[n][metric.name] for n in shown], metric)

    def x(joules: float) -> float:
        return _LEFT + (math.log10(joules) - first) / max(last - first, 1) * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [text(_LEFT, 20, title)]
    for power in range(first, last + 1):
        parts.append(line(x(10.0**power), _TOP, x(10.0**power), _HEIGHT - _BOTTOM, "grid"))
        parts.append(text(x(10.0**power), _HEIGHT - _BOTTOM + 18, si(10.0**power, "J", 1), "soft", "middle"))
    for step in range(6):
        value = low + step * (high - low) / 5
        parts.append(line(_LEFT, y(value), _WIDTH - _RIGHT, y(value), "grid"))
        parts.append(text(_LEFT - 8, y(value) + 4, score(metric, value), "soft", "end"))
    for n in shown:
        row = rows[n]
        parts.append(
            line(x(row["energy_low_j"]), y(row[metric.name]), x(row["energy_high_j"]), y(row[metric.name]), "span")
        )
    corners = [(x(rows[n]["energy_j"]), y(rows[n][metric.name])) for n in best]
    parts.append(path("M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in corners), "front"))
    parts += [dot(x(rows[n]["energy_j"]), y(rows[n][metric.name]), 4, "best" if n in best else "point") for n in shown]
    for n, (a, b) in zip(best, corners, strict=True):
        label = ", ".join(f"{key.split('.')[-1]} {value}" for key, value in rows[n]["values"].items())
        parts.append(text(a + 8, b - 8, clip(label, 48)))
    return standalone(title, _HEIGHT, parts, _STYLE, _WIDTH)


def _span(values: Sequence[float], metric: Metric) -> tuple[float, float]:
    """Round bounds around all shares, at least 0.02 apart; a tenth of their range around other values."""
    if not metric.is_share:
        margin = 0.1 * (max(values) - min(values)) or abs(values[0]) or 1.0
        return min(values) - margin, max(values) + margin
    low, high = math.floor(min(values) * 50) / 50, math.ceil(max(values) * 50) / 50
    return (low, high) if high > low else (max(0.0, low - 0.02), low + 0.02)
