"""Layers in the order in which they can be run: one by one, those of a loop together."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import TopologicalSorter

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from spikeport.exporter.float_network.float_network import FloatNetwork


def update_groups(network: FloatNetwork, names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Names of populations in groups, each after all groups that it reads; in a group, in the order of `names`."""
    index = {name: number for number, name in enumerate(names)}
    edges = [(index[c.source], index[c.target]) for c in network.connections if c.source in index]
    ends = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(ends.shape[1], np.int8), (ends[0], ends[1])), shape=(len(index), len(index)))
    _, labels = connected_components(graph, connection="strong")
    before: dict[int, set[int]] = {int(label): set() for label in labels}
    for source, target in edges:
        if labels[source] != labels[target]:
            before[int(labels[target])].add(int(labels[source]))
    members: dict[int, list[str]] = {label: [] for label in before}
    for name in names:
        members[int(labels[index[name]])].append(name)
    return tuple(tuple(members[label]) for label in TopologicalSorter(before).static_order())
