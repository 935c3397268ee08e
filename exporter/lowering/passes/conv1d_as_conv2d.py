"""Pass: a Conv1d becomes a Conv2d over an image of height 1, because the chip's convolutions are over images.

The signal keeps its shape (channels, length): an image (channels, 1, length) has the same elements in the same order.
"""

from __future__ import annotations

import nir
import numpy as np

from spikeport.exporter.nir_graph.shapes import numbers

from .rewrite import Rewrite


def conv1d_as_conv2d(graph: nir.NIRGraph) -> nir.NIRGraph:
    """The graph without Conv1d nodes whose length is known."""
    rewrite = Rewrite(graph)
    for name, node in graph.nodes.items():
        if isinstance(node, nir.Conv1d) and node.input_shape is not None and not isinstance(node.padding, str):
            length, stride, padding, dilation = (
                numbers(value, 1)[0] for value in (node.input_shape, node.stride, node.padding, node.dilation)
            )
            weight = np.asarray(node.weight)[:, :, None, :]
            rewrite.nodes[name] = nir.Conv2d(
                (1, length), weight, (1, stride), (0, padding), (1, dilation), int(node.groups), node.bias
            )
    return rewrite.graph()
