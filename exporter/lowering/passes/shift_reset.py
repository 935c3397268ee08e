"""Pass: a neuron that resets to v_reset becomes one that resets to 0, by measuring its voltage from v_reset.

    v' = v - v_reset:   v_threshold - v_reset,   v_leak - v_reset,   v_reset = 0

NIR's neurons start at v = 0, so this one starts at v' = -v_reset, stored in its metadata as "v_initial".
"""

from __future__ import annotations

from dataclasses import replace

import nir
import numpy as np

from spikeport.exporter.nir_graph.graph_checks import initial_voltage

from .rewrite import Rewrite


def shift_reset(graph: nir.NIRGraph) -> nir.NIRGraph:
    """The graph with v_reset = 0 on every IF, LIF and CubaLIF node."""
    rewrite = Rewrite(graph)
    for name, node in graph.nodes.items():
        if isinstance(node, (nir.IF, nir.LIF, nir.CubaLIF)) and np.any(node.v_reset):
            back = np.asarray(node.v_reset, np.float64)
            shifted = {
                field: getattr(node, field) - back for field in ("v_threshold", "v_leak") if hasattr(node, field)
            }
            start = {"v_initial": initial_voltage(node) - back}
            rewrite.nodes[name] = replace(
                node, **shifted, v_reset=np.zeros_like(back), metadata={**node.metadata, **start}
            )
    return rewrite.graph()
