"""Pass: remove nodes that change nothing: Flatten (the same elements in C order), Identity, and Delays of 0 seconds."""

from __future__ import annotations

import nir
import numpy as np

from spikeport.exporter.nir_graph.graph_checks import WIRES

from .rewrite import Rewrite


def drop_flatten(graph: nir.NIRGraph) -> nir.NIRGraph:
    """The graph with the predecessors of every such node joined to its successors."""
    rewrite = Rewrite(graph)
    for name, node in graph.nodes.items():
        if isinstance(node, WIRES) or (isinstance(node, nir.Delay) and not np.any(node.delay)):
            rewrite.bridge(name)
    return rewrite.graph()
