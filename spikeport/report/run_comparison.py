"""Compares two runs row by row: recipe, answers, cost, activity, size."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikeport.common.errors import InputError, reason
from spikeport.common.text_files import read_toml_file
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.report.pictures.charts import wilson
from spikeport.summary import Metric, PerInference, Summary

from .scores import change, change_unit, has_interval, score
from .units import DASH, MINUS, NONE, TIMES, count, estimate, plain, significant
from .verdict import Outcome, outcome

if sys.version_info >= (3, 11):
    pass
else:
    pass


@dataclass(frozen=True)
class Row:
    """One value of both runs; change: from the first to the second, in words, or empty."""

    name: str
    first: str
    second: str
    change: str = ""

    @property
    def differs(self) -> bool:
        """Whether the two runs differ."""
        return self.first != self.second or bool(self.change)


@dataclass(frozen=True)
class Group:
    """Rows about one subject."""

    name: str
    rows: tuple[Row, ...]


def recipe_of(folder: Path) -> dict[str, str]:
    """The recipe stored in a run, keys with dots; empty if there is none. Raises InputError if it cannot be read."""
    path = folder / "recipe.toml"
    if not path.exists():
        return {}
    try:
        return dict(_flat(read_toml_file(path)))
    except (OSError, ValueError) as error:
        why = f"{path}: is not a complete recipe ({reason(error)}); run the recipe again to rebuild it"
        raise InputError(why) from error


def _flat(values: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else key)
    elif isinstance(values, Sequence) and not isinstance(values, str):
        if any(isinstance(value, Mapping) for value in values):
            for index, value in enumerate(values, start=1):
                yield prefix + f" {index}", _in_words(value)
        else:
            yield prefix, ", ".join(map(str, values))
    else:
        yield prefix, _in_words(values)


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_in_words(one)}" for key, one in value.items())
    return str(value)


def groups(first: Summary, second: Summary, recipes: tuple[Mapping[str, str], Mapping[str, str]]) -> list[Group]:
    """Recipe, answers, cost, activity, size, environment; each row states whether the two differ."""
    both = (first, second)
    return [
        Group("Recipe", tuple(_texts(recipes))),
        Group("Answers", tuple(_shares(both))),
        Group("Cost of one inference, estimates", tuple(_costs(both))),
        Group("Activity, means per inference", tuple(_activity(both))),
        Group("Size", tuple(_sizes(both))),
        Group("Environment", tuple(_texts((_environment(first), _environment(second))))),
    ]


def _texts(both: tuple[Mapping[str, str], Mapping[str, str]]) -> Iterator[Row]:
    first, second = both
    names = list(dict.fromkeys([*first, *second]))
    tables = list(dict.fromkeys(name.split(".")[0] for name in names))
    # keys of the second run only are listed with their table
    for name in sorted(names, key=lambda name: tables.index(name.split(".")[0])):
        yield Row(name, first.get(name, NONE), second.get(name, NONE))


def _environment(summary: Summary) -> dict[str, str]:
    return {"Python": summary.python or NONE, **summary.versions}


def _shares(both: tuple[Summary, Summary]) -> Iterator[Row]:
    metrics = list(dict.fromkeys(summary.scores.metric for summary in both))
    for metric in metrics:
        quantities: list[tuple[str, Callable[[Summary], float | None]]] = [
            (f"{metric.title}, chip integers", lambda s: s.scores.fixed),
            (f"{metric.title}, float", lambda s: s.scores.float),
            (f"{metric.title}, ANN int8", lambda s: s.scores.ann_int8),
            (f"{metric.title}, ANN float32", lambda s: s.scores.ann),
        ]
        for name, get in quantities:
            yield _measured(name, metric, *(get(s) if s.scores.metric == metric else None for s in both))
    yield _measured("Same answer in float and integers", Metric(), both[0].agreement, both[1].agreement)


def _measured(name: str, metric: Metric, first: float | None, second: float | None) -> Row:
    words = ""
    if first is not None and second is not None and first != second:
        difference = change(metric, first, second)
        words = f"{'+' if difference > 0 else MINUS}{significant(abs(difference), 2)}{change_unit(metric)}"
    return Row(name, score(metric, first), score(metric, second), words)


def _costs(both: tuple[Summary, Summary]) -> Iterator[Row]:
    costs = [summary.per_inference for summary in both]
    quantities: list[tuple[str, str, Callable[[PerInference], Estimate]]] = [
        ("Energy", "J", lambda c: c.energy),
        ("Dynamic", "J", lambda c: c.dynamic_j.range),
        ("Static", "J", lambda c: c.static_j.range),
        ("Latency", "s", lambda c: c.latency),
    ]
    for name, unit, get in quantities:
        first, second = (None if cost is None else get(cost) for cost in costs)
        words = [NONE if value is None else estimate(value, unit) for value in (first, second)]
        change = "" if first is None or second is None else times(first.typical, second.typical)
        yield Row(name, words[0], words[1], change)


def _activity(both: tuple[Summary, Summary]) -> Iterator[Row]:
    costs = [summary.per_inference for summary in both]
    for name, field in (
        ("Spikes", "spikes"),
        ("Synaptic operations", "synops"),
        ("Neuron updates", "neuron_updates"),
        ("Messages", "messages"),
        ("Chip steps", "steps"),
    ):
        counts = [None if cost is None else float(getattr(cost, field)) for cost in costs]
        yield _counted(name, counts[0], counts[1])


def _sizes(both: tuple[Summary, Summary]) -> Iterator[Row]:
    quantities: list[tuple[str, Callable[[Summary], float | None]]] = [
        ("Cores", lambda s: None if s.mapping is None else s.mapping.cores),
        ("Chips", lambda s: None if s.mapping is None else s.mapping.chips),
        ("Neurons", lambda s: sum(layer.neurons for layer in s.layers if layer.kind != "input")),
        ("Synapses", lambda s: sum(layer.synapses for layer in s.layers)),
        ("Layers", lambda s: sum(layer.kind != "input" for layer in s.layers)),
    ]
    for name, get in quantities:
        first, second = (get(summary) for summary in both)
        yield _counted(name, first, second)


def _counted(name: str, first: float | None, second: float | None) -> Row:
    words = [NONE if value is None else count(value) for value in (first, second)]
    return Row(name, words[0], words[1], "" if first is None or second is None else times(first, second))


def times(first: float, second: float) -> str:
    """The second as a multiple of the first; empty if they are equal or the first is not positive."""
    if first == second or first <= 0:
        return ""
    factor = second / first
    number = significant(factor, 3) if factor < 100 else plain(round(factor))
    return f"{number}{TIMES}"


def sentence(first: Summary, second: Summary) -> str:
    """The main differences, and how certain they are, in one sentence."""
    return f"{_answers(first, second)}; {_energy(first, second)}."


def _answers(first: Summary, second: Summary) -> str:
    a, b, metric = first.scores.fixed, second.scores.fixed, first.scores.metric
    if metric != second.scores.metric:
        return f"A is measured by {metric.name}, B by {second.scores.metric.name}, which cannot be compared"
    if a is None or b is None:
        return "the accuracies on chip integers cannot be compared: not run in both"
    name = metric.name.replace("_", " ")
    if first.dataset != second.dataset:
        sets = f"({second.dataset}), A {score(metric, a)} ({first.dataset})"
        return f"B reaches {score(metric, b)} {name} on chip integers {sets}"
    accuracies = f"B reaches {score(metric, b)} {name} on chip integers, A {score(metric, a)}"
    if a == b or not has_interval(metric):
        return accuracies if a == b else f"{accuracies}, so {'B' if metric.better(b, a) else 'A'} is better"
    low, high = wilson(a, max(1, first.test_samples)), wilson(b, max(1, second.test_samples))
    apart = low[1] < high[0] or high[1] < low[0]
    return f"{accuracies}, a difference {'beyond' if apart else 'within'} the uncertainty of tests of this size"


def _energy(first: Summary, second: Summary) -> str:
    a, b = first.per_inference, second.per_inference
    if a is None or b is None:
        return "energy was not estimated in both"
    if first.chip != second.chip:
        result = outcome(b.energy, a.energy)
        if result is Outcome.APART:
            return "the estimated energies of B and A cannot be distinguished, as the ranges of the two chips overlap"
        return f"by estimate B needs {'less' if result is Outcome.CHIP_LESS else 'more'} energy than A"
    pairs = [(a.energy.low, b.energy.low), (a.energy.typical, b.energy.typical), (a.energy.high, b.energy.high)]
    if any(low <= 0 for low, _ in pairs):
        return "the energy of A is estimated as zero"
    factors = sorted(y / x for x, y in pairs)
    if factors[0] == factors[-1] == 1:
        return "both need the same energy by estimate"
    ends = dict.fromkeys(significant(factor, 2) for factor in (factors[0], factors[-1]))
    between = f"{DASH.join(ends)}{TIMES}"
    return (
        f"by estimate B needs {between} the energy of A, with the chip's constants at their low, typical and high "
        "values"
    )
