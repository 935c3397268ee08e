"""Pass: a neuron fed directly by an input or a neuron gets a synapse of ones, because the chip has no wires.

y = I x        weight I; for images a depthwise 1x1 convolution, which has one number per channel
"""

from __future__ import annotations

import nir
import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.nir_graph.graph_checks import NEURONS, shape_of

from .rewrite import Rewrite


def unit_synapse(graph: nir.NIRGraph) -> nir.NIRGraph:
    """The graph with a synapse on every edge from an input or a neuron to a neuron of the same size."""
    rewrite = Rewrite(graph)
    for source, target in graph.edges:
        ends = graph.nodes[source], graph.nodes[target]
        if isinstance(ends[0], (nir.Input, *NEURONS)) and isinstance(ends[1], NEURONS):
            shapes = {shape_of(node) for node in ends}
            if len({int(np.prod(shape)) for shape in shapes}) == 1:
                name = rewrite.add(f"{source}.{target}", elementwise(np.ones(1), shapes))
                rewrite.edges.remove((source, target))
                rewrite.edges += [(source, name), (name, target)]
    return rewrite.graph()


def elementwise(scale: NDArray[np.float64], shapes: set[tuple[int, ...]]) -> nir.NIRNode:
    """A synapse that scales each element, between ends of these shapes, which have the same size."""
    shape = next(iter(shapes))
    if len(shapes) == 1 and len(shape) == 3:
        full = np.broadcast_to(scale if scale.size == 1 else scale.reshape(shape), shape)
        if np.all(full == full[:, :1, :1]):
            return nir.Conv2d(
                input_shape=shape[1:],
                weight=full[:, 0, 0].reshape(-1, 1, 1, 1).copy(),
                stride=(1, 1),
                padding=(0, 0),
                dilation=(1, 1),
                groups=shape[0],
                bias=np.zeros(shape[0]),
            )
    return nir.Linear(weight=np.diag(np.broadcast_to(scale.reshape(-1), (int(np.prod(shape)),))))
