"""Cores that hold and fill alike, in one line."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from spikeport.exporter.mapping import Mapping

# runs of numbers that are written out before the rest is left out
_RUNS = 3


@dataclass(frozen=True)
class Group:
    """Cores that hold as many neurons of the same layers, and fill every limit alike to a hundredth."""

    numbers: tuple[int, ...]
    holds: tuple[tuple[str, int], ...]
    fill: Dictionary[str, float]


def alike(mapping: Mapping) -> list[Group]:
    """All cores in groups, in the order of layers, the fullest first."""
    order = {layer.name: number for number, layer in enumerate(mapping.layers)}
    found: dict[tuple[object, ...], list[int]] = {}
    for place, core in enumerate(mapping.placed):
        holds = tuple((part.layer, part.size) for part in core.slices)
        found.setdefault((holds, tuple(round(share, 2) for share in mapping.fills[place].values())), []).append(place)
    groups = [
        Group(
            tuple(mapping.placed[place].number for place in places),
            tuple((part.layer, part.size) for part in mapping.placed[places[0]].slices),
            {name: share for name, share in mapping.fills[places[0]].items() if name != "layers" or share > 1},
        )
        for places in found.values()
    ]
    return sorted(groups, key=lambda group: ([order[layer] for layer, _ in group.holds], -max(group.fill.values())))


def numbers(values: Sequence[int]) -> str:
    """Ascending numbers, runs of them shortened, no more than a few runs: 0-3, 7, 9-12, ..."""
    runs = [[n for _, n in run] for _, run in groupby(enumerate(sorted(values)), key=lambda pair: pair[1] - pair[0])]
    shown = [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs[:_RUNS]]
    return ", ".join([*shown, "..."] if len(runs) > _RUNS else shown)
