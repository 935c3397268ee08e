"""Pass: SumPool2d and AvgPool2d become part of the next synapse, because the chip cannot pool.

    y[c, i, j] = sum of x[c, i s - p + di, j s - p + dj] over the kernel's (di, dj), divided by its area if it averages

Padding counts as zeros in the average, as in torch (count_include_pad). What a pooling node becomes:

- Before a convolution: one convolution whose kernel composes the two kernels, K[ky s + di] = sum of k[ky], and whose
  stride is the product of both, where the convolution does not pad, or where its padding meets no window that still
  holds a pixel.
- Before a neuron or a Scale: a convolution of ones per channel.

Elsewhere it stays, and lowering makes one matrix of it and the next synapse.
"""

from __future__ import annotations

import nir
import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.nir_graph.graph_checks import NEURONS, POOLS, pair
from spikeport.exporter.nir_graph.shapes import output_shapes

from .rewrite import Rewrite

Floats = NDArray[np.float64]
Image = tuple[int, int, int]


def fold_pooling(graph: nir.NIRGraph) -> nir.NIRGraph:
    """The graph without the pooling nodes that a kernel can absorb, the last ones first."""
    rewrite, shapes = Rewrite(graph), output_shapes(graph)
    waiting = [name for name, node in graph.nodes.items() if isinstance(node, POOLS)]
    while waiting:
        name = next((n for n in waiting if not set(rewrite.after(n)) & set(waiting)), waiting[0])
        waiting.remove(name)
        read = {shapes.get(source) for source in rewrite.before(name)}
        shape = next(iter(read)) if len(read) == 1 else None
        if shape is not None and len(shape) == 3 and name in shapes:
            _fold(rewrite, name, _Window(rewrite.nodes[name], (shape[0], shape[1], shape[2])))
    return rewrite.graph()


class _Window:
    """A pooling node's parameters for an input of a known shape."""

    def __init__(self, node: nir.NIRNode, shape: Image) -> None:
        self.shape = shape
        self.kernel, self.stride, self.padding = (pair(getattr(node, k)) for k in ("kernel_size", "stride", "padding"))
        self.factor = 1 / (self.kernel[0] * self.kernel[1]) if isinstance(node, nir.AvgPool2d) else 1.0
        sizes = zip(shape[1:], self.kernel, self.stride, self.padding, strict=True)
        self.pooled: Image = (shape[0], *((n + 2 * p - k) // s + 1 for n, k, s, p in sizes))  # type: ignore[assignment]

    def as_convolution(self) -> nir.Conv2d:
        """A convolution of ones, one group per channel."""
        channels = self.shape[0]
        weight = np.full((channels, 1, *self.kernel), self.factor)
        return nir.Conv2d(self.shape[1:], weight, self.stride, self.padding, (1, 1), channels, np.zeros(channels))


def _fold(rewrite: Rewrite, name: str, window: _Window) -> None:
    rewrite.fold_forward(name, lambda synapse: _merged(synapse, window))
    if name in rewrite.nodes and any(isinstance(rewrite.nodes[n], (nir.Scale, *NEURONS)) for n in rewrite.after(name)):
        rewrite.nodes[name] = window.as_convolution()


def _merged(synapse: nir.NIRNode, window: _Window) -> nir.NIRNode | None:
    weight = np.asarray(synapse.weight, np.float64)
    if not isinstance(synapse, nir.Conv2d) or isinstance(synapse.padding, str) or weight.ndim != 4:
        return None
    if len(weight) % synapse.groups or weight.shape[1] * synapse.groups != window.pooled[0]:
        return None
    return _composed(synapse, weight, window) if _composes(synapse, window) else None


def _composes(conv: nir.Conv2d, window: _Window) -> bool:
    """Whether no pooled pixel in the convolution's padding would contain a pixel of the image."""
    axes = zip(
        pair(conv.padding), window.kernel, window.stride, window.padding, window.shape[1:], window.pooled[1:],
        strict=True,
    )  # fmt: skip
    # the windows just before the first and just after the last one
    return all(
        padding == 0 or (kernel <= stride + around and pooled * stride - around >= size)
        for padding, kernel, stride, around, size, pooled in axes
    )


def _composed(conv: nir.Conv2d, weight: Floats, window: _Window) -> nir.Conv2d:
    stride, padding, dilation = (pair(getattr(conv, key)) for key in ("stride", "padding", "dilation"))
    steps = [d * s for d, s in zip(dilation, window.stride, strict=True)]
    sizes = [(n - 1) * d + k for n, d, k in zip(weight.shape[2:], steps, window.kernel, strict=True)]
    kernel = np.zeros((*weight.shape[:2], *sizes))
    for y, x in np.ndindex(*window.kernel):
        rows = slice(y, y + sizes[0] - window.kernel[0] + 1, steps[0])
        columns = slice(x, x + sizes[1] - window.kernel[1] + 1, steps[1])
        kernel[:, :, rows, columns] += weight
    composed: nir.Conv2d = nir.Conv2d(
        window.shape[1:],
        kernel * window.factor,
        (stride[0] * window.stride[0], stride[1] * window.stride[1]),
        (window.padding[0] + padding[0] * window.stride[0], window.padding[1] + padding[1] * window.stride[1]),
        (1, 1),
        conv.groups,
        conv.bias,
    )
    return composed
