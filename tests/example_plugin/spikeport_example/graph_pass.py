"""A pass over NIR graphs."""

from __future__ import annotations

import nir
import numpy as np

from spikeport.exporter.lowering.passes import runs_after


@runs_after("drop_flatten")
def drop_unit_scales(graph: nir.NIRGraph) -> nir.NIRGraph:
    """Removes Scale nodes of ones."""
    edges = list(graph.edges)
    units = {name for name, node in graph.nodes.items() if isinstance(node, nir.Scale) and np.all(node.scale == 1)}
    for name in units:
        before, after = [s for s, t in edges if t == name], [t for s, t in edges if s == name]
        edges = [edge for edge in edges if name not in edge] + [(s, t) for s in before for t in after]
    nodes = {name: node for name, node in graph.nodes.items() if name not in units}
    return nir.NIRGraph(nodes, edges, metadata=graph.metadata, type_check=False)
