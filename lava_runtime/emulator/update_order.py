"""The order in which populations are updated, so that each advances by blocks of time steps."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import TopologicalSorter

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from spikeport.exporter.program.chip_program import ChipProgram


@dataclass(frozen=True)
class UpdateGroup:
    """Populations that advance together: one, or all of a recurrent loop (also one that feeds itself)."""

    populations: tuple[str, ...]
    recurrent: bool


def update_order(program: ChipProgram) -> tuple[UpdateGroup, ...]:
    """The network's populations in groups, each after all groups that feed it."""
    index = {node.name: number for number, node in enumerate(program.nodes)}
    edges = [(index[c.source], index[c.target]) for c in program.connections]
    ends = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(ends.shape[1], np.int8), (ends[0], ends[1])), shape=(len(index), len(index)))
    _, labels = connected_components(graph, connection="strong")
    before: dict[int, set[int]] = {int(label): set() for label in labels}
    recurrent: set[int] = set()
    for source, target in edges:
        if labels[source] == labels[target]:
            recurrent.add(int(labels[target]))
        else:
            before[int(labels[target])].add(int(labels[source]))
    members: dict[int, list[str]] = {label: [] for label in before}
    for population in program.populations:
        members[int(labels[index[population.name]])].append(population.name)
    ordered = TopologicalSorter(before).static_order()
    return tuple(UpdateGroup(tuple(members[label]), label in recurrent) for label in ordered if members[label])
