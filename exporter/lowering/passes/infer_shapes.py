"""Pass: every node states its full shape, because later passes compute with shapes.

A neuron's constants become one value per neuron, also where the file has one per channel or one for all. A
convolution's padding becomes two numbers: "valid" is none; "same" is (k - 1) d in total, and where that is odd, as for
even kernels, the kernel gets a leading row of zeros, so that both sides are padded equally.
"""

from __future__ import annotations

import copy
from dataclasses import fields
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.nir_graph.graph_checks import NEURONS, predecessors
from spikeport.exporter.nir_graph.shapes import Shape, numbers, output_shapes, same_padding

from .rewrite import Rewrite

_ELEMENTWISE = (*NEURONS, nir.Scale, nir.Delay)


def infer_shapes(graph: nir.NIRGraph) -> nir.NIRGraph:
    """The graph with input and output shapes on every node that has them; raises InputError if none fits."""
    rewrite, shapes = Rewrite(graph), output_shapes(graph)
    for name, node in graph.nodes.items():
        before = predecessors(graph, name)
        rewrite.nodes[name] = _complete(node, shapes.get(name), shapes.get(before[0]) if before else None)
    return rewrite.graph()


def _complete(node: nir.NIRNode, shape: Shape | None, input_shape: Shape | None) -> nir.NIRNode:
    changed = copy.copy(node)
    if isinstance(node, _ELEMENTWISE) and shape is not None:
        for field in fields(node):
            value = getattr(node, field.name)
            if isinstance(value, (np.ndarray, np.generic, float, int)) and np.shape(value) != shape:
                setattr(changed, field.name, _broadcast(np.asarray(value), shape))
        input_shape = shape
    if (
        isinstance(node, (nir.Conv1d, nir.Conv2d))
        and input_shape is not None
        and np.ndim(node.weight) == len(input_shape) + 1
    ):
        inside = input_shape[1:]
        changed.input_shape = inside[0] if len(inside) == 1 else inside
        if isinstance(node.padding, str):
            _pad(changed, len(inside))
    if input_shape is not None and not isinstance(node, nir.Input):
        changed.input_type = {"input": np.array(input_shape)}
    if shape is not None:
        changed.output_type = {"output": np.array(shape)}
    return changed


def _broadcast(value: NDArray[Any], shape: Shape) -> NDArray[Any]:
    """A constant at full shape, or unchanged if it does not fit."""
    if value.size == 1:
        return np.full(shape, value.item())
    try:
        return np.broadcast_to(value, shape).copy()
    except ValueError:
        return value


def _pad(conv: nir.NIRNode, axes: int) -> None:
    """Replace 'same' and 'valid' by numbers, in place."""
    weight, dilation = np.asarray(conv.weight), numbers(conv.dilation, axes)
    around = [(0, 0)] * axes
    if conv.padding == "same":
        around = same_padding(weight.shape[2:], dilation)
        if any(left != right for left, right in around):
            weight, dilation = _undilated(weight, dilation), (1,) * axes
            weight = np.pad(weight, [(0, 0), (0, 0), *((right - left, 0) for left, right in around)])
    conv.weight = weight
    behind = tuple(right for _, right in around)
    conv.padding, conv.dilation = (behind[0], dilation[0]) if axes == 1 else (behind, dilation)


def _undilated(weight: NDArray[Any], dilation: Shape) -> NDArray[Any]:
    """The dilated kernel with explicit zeros."""
    sizes = [d * (k - 1) + 1 for k, d in zip(weight.shape[2:], dilation, strict=True)]
    full = np.zeros((*weight.shape[:2], *sizes), weight.dtype)
    taps = (slice(None), slice(None), *(slice(None, None, d) for d in dilation))
    full[taps] = weight
    return full
