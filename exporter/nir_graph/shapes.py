"""Output shapes of NIR nodes, inferred from the inputs on.

nir's own types do not support groups, rectangular kernels, pooling, or one constant for a whole layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import nir
import numpy as np

from spikeport.common.errors import InputError, naming
from spikeport.common.limits import LARGEST_LAYER
from spikeport.common.whole_numbers import whole_numbers

Shape = tuple[int, ...]
# the field that has the neurons' shape
_SHAPED_BY = {
    "IF": "v_threshold", "LIF": "v_threshold", "CubaLIF": "v_threshold", "I": "r", "LI": "v_leak", "CubaLI": "v_leak",
    "Threshold": "threshold", "Scale": "scale", "Delay": "delay",
}  # fmt: skip


def output_shapes(graph: nir.NIRGraph) -> dict[str, Shape]:
    """Output shape of each node of a graph without subgraphs, where it can be inferred.

    Constants of one element, or of one per channel (C, 1, 1), take the shape of their input. Raises InputError for a
    kernel or a pooling that does not fit its input.
    """
    sources: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for source, target in graph.edges:
        sources[target].append(source)
    shapes: dict[str, Shape] = {}
    # a shape follows from the node itself or from any of its predecessors; cycles take several rounds
    changed = True
    while changed:
        changed = False
        for name, node in graph.nodes.items():
            input_shape = next((shapes[source] for source in sources[name] if source in shapes), None)
            with naming(f"node {name!r}", "check its shapes, or report the file as a fault of spikeport"):
                shape = (
                    _shape(name, node, input_shape) if name not in shapes or input_shape is not None else shapes[name]
                )
            if shape is not None and math.prod(shape) > LARGEST_LAYER:
                raise InputError(f"node {name!r} has shape {shape}, beyond {LARGEST_LAYER:,} elements; make it smaller")
            if shape is not None and shape != shapes.get(name):
                shapes[name], changed = shape, True
    return shapes


def misfit(graph: nir.NIRGraph) -> str | None:
    """A sentence on the first edge whose ends have different numbers of elements, None if all fit."""
    subgraphs = [node for node in graph.nodes.values() if isinstance(node, nir.NIRGraph)]
    if subgraphs:
        # edges through a subgraph are checked once it is inlined
        return next((fault for fault in map(misfit, subgraphs) if fault is not None), None)
    shapes = output_shapes(graph)
    for source, target in graph.edges:
        if source in shapes and not _takes(graph.nodes[target], shapes.get(target), shapes[source]):
            return f"the edge {source} -> {target} brings shape {shapes[source]}, which {target} does not take"
    return None


def _takes(node: nir.NIRNode, own: Shape | None, input_shape: Shape) -> bool:
    """Whether a node can read a shape; shapes of the same size count as equal."""
    size = math.prod(input_shape)
    if isinstance(node, (nir.Affine, nir.Linear)):
        return size == np.shape(node.weight)[-1]
    if isinstance(node, (nir.Conv1d, nir.Conv2d)):
        return own is not None and np.shape(node.weight)[1] * int(node.groups) == input_shape[0]
    if isinstance(node, nir.Output):
        return size == math.prod(int(n) for n in np.asarray(node.output_type["output"]).reshape(-1))
    return own is not None and (math.prod(own) == size or isinstance(node, (nir.SumPool2d, nir.AvgPool2d)))


def conv_output(
    shape: Sequence[int], kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]
) -> Shape:
    """Size of a convolution's or a pooling's output along each axis (torch.nn.Conv2d, Shape)."""
    axes = zip(shape, kernel, stride, padding, dilation, strict=True)
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in axes)


def numbers(value: object, count: int) -> Shape:
    """`count` whole numbers from one or `count` of them."""
    return tuple(
        int(n) for n in np.broadcast_to(whole_numbers(value, "a stride, padding or size").reshape(-1), (count,))
    )


def is_row(weight: Shape, input_shape: Shape) -> bool:
    """Whether a Conv2d of this weight shape reads a signal (channels, length), as an image of height 1."""
    return len(weight) == 4 and weight[2] == 1 and len(input_shape) == 2


def same_padding(kernel: Sequence[int], dilation: Sequence[int]) -> list[tuple[int, int]]:
    """Padding (before, after) of each axis that keeps its size, as torch's padding="same"."""
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return [(total // 2, total - total // 2) for total in totals]


def _shape(name: str, node: nir.NIRNode, input_shape: Shape | None) -> Shape | None:
    kind = type(node).__name__
    if kind == "Input":
        return tuple(int(n) for n in np.asarray(node.output_type["output"]).reshape(-1))
    if kind in _SHAPED_BY:
        return _broadcast(np.shape(getattr(node, _SHAPED_BY[kind])), input_shape)
    if kind in ("Affine", "Linear"):
        return (*np.shape(node.weight)[:-2], np.shape(node.weight)[-2])
    if kind in ("Conv1d", "Conv2d"):
        return _convolved(name, node, input_shape)
    if kind in ("SumPool2d", "AvgPool2d"):
        return _pooled(node, input_shape)
    if kind == "Flatten":
        return None if input_shape is None else _flattened(input_shape, int(node.start_dim), int(node.end_dim))
    return input_shape  # Output, Identity


def _broadcast(own: Shape, input_shape: Shape | None) -> Shape:
    if input_shape is None or math.prod(own) == math.prod(input_shape):
        return own
    if math.prod(own) == 1:
        return input_shape
    try:
        broadcast = np.broadcast_shapes(own, input_shape)
    except ValueError:
        return own
    return input_shape if broadcast == input_shape and len(own) == len(input_shape) else own


def _convolved(name: str, node: nir.NIRNode, input_shape: Shape | None) -> Shape | None:
    weight = np.shape(node.weight)
    axes = len(weight) - 2
    if axes != (1 if isinstance(node, nir.Conv1d) else 2):
        return None
    if input_shape is None and node.input_shape is not None:
        input_shape = (weight[1] * int(node.groups), *numbers(node.input_shape, axes))
    if input_shape is not None and is_row(weight, input_shape):
        as_image = _convolved(name, node, (input_shape[0], 1, input_shape[1]))
        return None if as_image is None or as_image[1] != 1 else (as_image[0], as_image[2])
    if input_shape is None or len(input_shape) != axes + 1:
        return None
    stride, dilation = numbers(node.stride, axes), numbers(node.dilation, axes)
    if isinstance(node.padding, str):
        if node.padding == "same" and set(stride) != {1}:
            raise InputError(f"node {name!r} has padding 'same' with stride {stride}; give the padding as numbers")
        inside = (
            input_shape[1:]
            if node.padding == "same"
            else conv_output(input_shape[1:], weight[2:], stride, [0] * axes, dilation)
        )
    else:
        if min(*stride, *dilation, int(node.groups)) < 1:
            return None
        inside = conv_output(input_shape[1:], weight[2:], stride, numbers(node.padding, axes), dilation)
    return None if min(inside) < 1 else (weight[0], *inside)


def _pooled(node: nir.NIRNode, input_shape: Shape | None) -> Shape | None:
    if input_shape is None or len(input_shape) != 3:
        return None
    kernel, stride, padding = (numbers(getattr(node, key), 2) for key in ("kernel_size", "stride", "padding"))
    if min(*kernel, *stride) < 1 or min(padding) < 0:
        return None
    inside = conv_output(input_shape[1:], kernel, stride, padding, (1, 1))
    return None if min(inside) < 1 else (input_shape[0], *inside)


def _flattened(shape: Shape, start: int, end: int) -> Shape:
    last = end if end >= 0 else len(shape) + end
    first = min(start, len(shape))
    return (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])
