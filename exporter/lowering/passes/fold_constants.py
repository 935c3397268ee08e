"""Pass: a synapse of zeros is a constant, its bias, and becomes part of a parallel synapse.

    (0 x + b) + (W y + c)  =  W y + (b + c)

Without a bias it is removed, unless nothing else feeds its target. Without a parallel synapse of the same size it
stays.
"""

from __future__ import annotations

import math
from dataclasses import replace

import nir
import numpy as np

from spikeport.exporter.nir_graph.graph_checks import NEURONS, SYNAPSES, bias_of
from spikeport.exporter.nir_graph.shapes import output_shapes

from .rewrite import Rewrite


def fold_constants(graph: nir.NIRGraph) -> nir.NIRGraph:
    """The graph with fewer synapses of zeros."""
    rewrite, shapes = Rewrite(graph), output_shapes(graph)
    for name in graph.nodes:
        node = rewrite.nodes[name]
        if isinstance(node, SYNAPSES) and not np.any(node.weight) and name in shapes:
            bias = bias_of(node, shapes[name])
            for target in list(rewrite.after(name)):
                if isinstance(rewrite.nodes[target], NEURONS) and _absorbed(rewrite, name, target, bias, shapes):
                    rewrite.edges.remove((name, target))
            if not rewrite.after(name):
                rewrite.remove(name)
    return rewrite.graph()


def _absorbed(
    rewrite: Rewrite, name: str, target: str, bias: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    shapes: dict[str, tuple[int, ...]],
) -> bool:  # fmt: skip
    """Whether a neuron's constant input is 0, or was absorbed by another synapse that feeds only this neuron."""
    parallel = [n for n in rewrite.before(target) if n != name]
    if not np.any(bias):
        return bool(parallel)
    for other in parallel:
        synapse = rewrite.nodes[other]
        if not isinstance(synapse, SYNAPSES) or rewrite.after(other) != [target] or other not in shapes:
            continue
        if math.prod(shapes[other]) != bias.size:
            continue
        if isinstance(synapse, nir.Conv2d):
            channels = bias.reshape(len(synapse.weight), -1)
            if np.any(channels != channels[:, :1]):
                continue
            rewrite.nodes[other] = replace(synapse, bias=np.asarray(synapse.bias) + channels[:, 0])
        else:
            rewrite.nodes[other] = nir.Affine(synapse.weight, bias_of(synapse, shapes[other]) + bias)
        return True
    return False
