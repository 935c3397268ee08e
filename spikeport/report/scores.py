"""A task's metric in words, and its mean and spread over seeds."""

from __future__ import annotations

from spikeport.summary import Metric, Spread, Summary

from .units import DASH, NOT_RUN, count, percent, plural, si, significant

PLUS_MINUS = "\N{PLUS-MINUS SIGN}"
# metrics that are a share of samples answered right, so that a binomial interval holds
_COUNTED = ("accuracy", "exact_match")


def score(metric: Metric, value: float | None) -> str:
    """A value of the metric: a percentage for a share, else four digits."""
    if value is None or metric.is_share:
        return percent(value)
    return significant(value, 4)


def change(metric: Metric, first: float, second: float) -> float:
    """The second value less the first: in points for a share, else in units of the metric."""
    return (100 if metric.is_share else 1) * (second - first)


def change_unit(metric: Metric) -> str:
    """The unit of a change, with a space before it."""
    return " points" if metric.is_share else ""


def has_interval(metric: Metric) -> bool:
    """Whether Wilson's interval for a share of samples applies."""
    return metric.name in _COUNTED


def spread(metric: Metric, values: Spread) -> str:
    """Mean and standard deviation."""
    deviation = 100 * values.std if metric.is_share else values.std
    return f"{score(metric, values.mean)} {PLUS_MINUS} {significant(deviation, 2)}{change_unit(metric)}"


def seed_rows(summary: Summary) -> list[list[str]]:
    """One row per seed, then mean and standard deviation; empty for one training."""
    seeds, metric = summary.seeds, summary.scores.metric
    if seeds is None:
        return []
    rows = [
        [str(run.seed), score(metric, run.fixed), score(metric, run.float), count(run.spikes), si(run.energy_j, "J")]
        for run in seeds.runs
    ]
    spikes = f"{count(seeds.spikes.mean)} {PLUS_MINUS} {significant(seeds.spikes.std, 2)}"
    energy = f"{si(seeds.energy_j.mean, 'J')} {PLUS_MINUS} {si(seeds.energy_j.std, 'J', 2)}"
    spreads = [spread(metric, seeds.fixed), spread(metric, seeds.float), spikes, energy]
    return [*rows, [f"mean {PLUS_MINUS} standard deviation", *spreads]]


def seeds_title(summary: Summary) -> str:
    """How many seeds, and which: 3 seeds (0–2)."""
    if summary.seeds is None:
        return NOT_RUN
    runs = summary.seeds.runs
    return f"{plural(len(runs), 'seed')} ({runs[0].seed}{DASH}{runs[-1].seed})"
