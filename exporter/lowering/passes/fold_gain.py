"""Pass: r and w_in become 1, because the chip's neurons have no gains but thresholds and biases per neuron.

A spiking neuron's voltage is expressed in units of g = r w_in, which changes no spike and lets convolutions keep their
shared kernel:

    v' = v / |g|:   v_threshold / |g|,   v_leak / |g|,   v_reset / |g|

The sign of g, or a g of 0, becomes a Scale before the neuron, which the synapse absorbs (fold_scale). A neuron that
sends its voltage must keep its unit, so all of g goes before it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import nir
import numpy as np

from spikeport.exporter.nir_graph.graph_checks import FILTERED, SPIKING, initial_voltage

from .rewrite import Rewrite


def fold_gain(graph: nir.NIRGraph) -> nir.NIRGraph:
    """The graph with r = 1 and w_in = 1 on every neuron node."""
    rewrite = Rewrite(graph)
    for name, node in graph.nodes.items():
        if not hasattr(node, "r"):
            continue
        gain = np.asarray(node.r, np.float64) * (node.w_in if isinstance(node, FILTERED) else 1.0)
        if np.all(gain == 1) and np.all(node.r == 1):
            continue
        spiking = isinstance(node, SPIKING)
        unit = np.where(gain == 0, 1.0, np.abs(gain)) if spiking else np.ones_like(gain)
        rewrite.nodes[name] = _in_units(node, unit)
        factor = gain / unit if not spiking else np.sign(gain)
        if np.any(factor != 1):
            rewrite.insert_before(name, f"{name}.gain", nir.Scale(scale=factor))
    return rewrite.graph()


def _in_units(node: nir.NIRNode, unit: Any) -> nir.NIRNode:
    """The neuron with gain 1 and its voltage in units of `unit`."""
    ones = np.ones_like(unit)
    gains = {"r": ones, "w_in": ones} if isinstance(node, FILTERED) else {"r": ones}
    voltages = [field for field in ("v_threshold", "v_leak", "v_reset") if hasattr(node, field)]
    metadata = dict(node.metadata)
    if "v_initial" in metadata:
        metadata["v_initial"] = initial_voltage(node) / unit
    changed: nir.NIRNode = replace(
        node, **gains, **{field: getattr(node, field) / unit for field in voltages}, metadata=metadata
    )
    return changed
