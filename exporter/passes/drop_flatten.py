"""Pass: remove Flatten nodes. In C order a flattened array has the same elements at the same places."""

from __future__ import annotations

import nir


def drop_flatten(graph: nir.NIRGraph) -> nir.NIRGraph:
    """The graph with every Flatten node's predecessors joined to its successors."""
    nodes, edges = dict(graph.nodes), list(graph.edges)
    for name, node in graph.nodes.items():
        if isinstance(node, nir.Flatten):
            before = [source for source, target in edges if target == name]
            after = [target for source, target in edges if source == name]
            edges = [edge for edge in edges if name not in edge]
            edges += [(source, target) for source in before for target in after]
            del nodes[name]
    # types were checked when the graph was read; a Linear may now follow an image
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata=dict(graph.metadata), type_check=False)
