"""In which order the populations of a network step, so that each steps a block at a time."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import TopologicalSorter

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from spikeport.exporter.program.chip_program import ChipProgram


@dataclass(frozen=True)
class UpdateGroup:
    """Populations that step together: one, or as many as feed each other in a circle (one that feeds itself, too)."""

    populations: tuple[str, ...]
    circular: bool


def stages(program: ChipProgram) -> tuple[UpdateGroup, ...]:
    """The network cut into stages, each behind all that feed it."""
    place = {node.name: number for number, node in enumerate(program.nodes)}
    edges = [(place[c.source], place[c.target]) for c in program.connections]
    ends = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(ends.shape[1], np.int8), (ends[0], ends[1])), shape=(len(place), len(place)))
    _, labels = connected_components(graph, connection="strong")
    before: dict[int, set[int]] = {int(label): set() for label in labels}
    circular: set[int] = set()
    for source, target in edges:
        if labels[source] == labels[target]:
            circular.add(int(labels[target]))
        else:
            before[int(labels[target])].add(int(labels[source]))
    members: dict[int, list[str]] = {label: [] for label in before}
    for population in program.populations:
        members[int(labels[place[population.name]])].append(population.name)
    ordered = TopologicalSorter(before).static_order()
    return tuple(UpdateGroup(tuple(members[label]), label in circular) for label in ordered if members[label])
