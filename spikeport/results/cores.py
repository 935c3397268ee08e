"""Groups cores with the same contents and use, one line per group."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from spikeport.exporter.mapping import Mapping

# runs of numbers that are written before the rest is abbreviated
_RUNS = 3


@dataclass(frozen=True)
class CoreGroup:
    """Cores with the same number of neurons of the same layers, and the same use of every limit to a hundredth."""

    numbers: tuple[int, ...]
    holds: tuple[tuple[str, int], ...]
    fill: Dictionary[str, float]


def group_cores(mapping: Mapping) -> list[CoreGroup]:
    """All cores in groups, in the order of the layers, the fullest first."""
    order = {layer.name: number for number, layer in enumerate(mapping.layers)}
    members: dict[tuple[object, ...], list[int]] = {}
    for index, core in enumerate(mapping.placed):
        holds = tuple((part.layer, part.size) for part in core.slices)
        members.setdefault((holds, tuple(round(share, 2) for share in mapping.fills[index].values())), []).append(index)
    groups = [
        CoreGroup(
            tuple(mapping.placed[index].number for index in indices),
            tuple((part.layer, part.size) for part in mapping.placed[indices[0]].slices),
            {name: share for name, share in mapping.fills[indices[0]].items() if name != "layers" or share > 1},
        )
        for indices in members.values()
    ]
    return sorted(groups, key=lambda group: ([order[layer] for layer, _ in group.holds], -max(group.fill.values())))


def numbers(values: Sequence[int]) -> str:
    """Ascending numbers with runs shortened, at most a few runs: 0-3, 7, 9-12, ..."""
    runs = [[n for _, n in run] for _, run in groupby(enumerate(sorted(values)), key=lambda pair: pair[1] - pair[0])]
    shown = [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs[:_RUNS]]
    return ", ".join([*shown, "..."] if len(runs) > _RUNS else shown)
