"""Shared by the folding passes: editing nodes and edges, and merging a stateless node into its neighbours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import nir
import numpy as np

from spikeport.exporter.nir_graph.graph_checks import SYNAPSES

Node = TypeVar("Node", bound=nir.NIRNode)


class Rewrite:
    """An editable copy of a graph's nodes and edges; nodes are replaced, never changed."""

    def __init__(self, graph: nir.NIRGraph) -> None:
        self.nodes: dict[str, nir.NIRNode] = dict(graph.nodes)
        self.edges: list[tuple[str, str]] = list(graph.edges)
        self._metadata = dict(graph.metadata)

    def graph(self) -> nir.NIRGraph:
        """The current graph, without nir's type check, which knows neither groups nor a dropped Flatten."""
        return nir.NIRGraph(nodes=self.nodes, edges=self.edges, metadata=self._metadata, type_check=False)

    def before(self, name: str) -> list[str]:
        """Nodes with an edge to `name`."""
        return [source for source, target in self.edges if target == name]

    def after(self, name: str) -> list[str]:
        """Nodes with an edge from `name`."""
        return [target for source, target in self.edges if source == name]

    def add(self, name: str, node: nir.NIRNode) -> str:
        """Add a node under that name, or the nearest free one; returns the name."""
        while name in self.nodes:
            name += "_"
        self.nodes[name] = node
        return name

    def remove(self, name: str) -> None:
        """Remove a node and its edges."""
        self.edges = [edge for edge in self.edges if name not in edge]
        del self.nodes[name]

    def bridge(self, name: str) -> None:
        """Remove a node and join its predecessors to its successors."""
        before, after = self.before(name), self.after(name)
        self.remove(name)
        self.edges += [(source, target) for source in before for target in after if name not in (source, target)]

    def insert_before(self, name: str, new_name: str, node: nir.NIRNode) -> None:
        """Put a node on all edges into `name`, called `new_name` or the nearest free name."""
        if self.before(name):
            added = self.add(new_name, node)
            self.edges = [(source, added if target == name else target) for source, target in self.edges]
            self.edges.append((added, name))

    def drop_if_loose(self, name: str) -> None:
        """Remove a node, and the edges to it, once nothing reads it."""
        if not self.after(name):
            self.remove(name)

    def fold_forward(self, name: str, merge: Callable[[nir.NIRNode], nir.NIRNode | None]) -> None:
        """Merge a node into each synapse it feeds: synapse(node(x)) becomes merge(synapse)(x), None where it cannot.

        A synapse that also reads others stays for them and keeps its bias; a parallel copy without bias takes the
        merged path, because a synapse is linear: W (a + f b) + c = (W a + c) + (W f) b.
        """
        for target in [t for t in self.after(name) if isinstance(self.nodes[t], SYNAPSES)]:
            merged = merge(self.nodes[target])
            if merged is None:
                continue
            into = target
            if self.before(target) == [name]:
                self.nodes[target] = merged
            else:
                into = self.add(f"{target}.{name}", without_bias(merged))
                self.edges += [(into, successor) for successor in self.after(target)]
            self.edges.remove((name, target))
            self.edges += [(source, into) for source in self.before(name)]
            self.drop_if_loose(name)

    def fold_backward(self, name: str, merge: Callable[[nir.NIRNode], nir.NIRNode | None]) -> None:
        """Merge a node into each synapse that feeds it: node(synapse(x)) becomes merge(synapse)(x).

        A synapse that others also read stays for them, and a copy takes the merged path.
        """
        for source in [s for s in self.before(name) if isinstance(self.nodes[s], SYNAPSES)]:
            merged = merge(self.nodes[source])
            if merged is None:
                continue
            into = source
            if self.after(source) == [name]:
                self.nodes[source] = merged
            else:
                into = self.add(f"{source}.{name}", merged)
                self.edges += [(before, into) for before in self.before(source)]
            self.edges.remove((source, name))
            self.edges += [(into, successor) for successor in self.after(name)]
        if not self.before(name):
            self.remove(name)


def without_bias(synapse: nir.NIRNode) -> nir.NIRNode:
    """The same synapse with a bias of 0."""
    if isinstance(synapse, nir.Linear):
        return synapse
    changed: nir.NIRNode = replace(synapse, bias=np.zeros_like(synapse.bias))
    return changed
