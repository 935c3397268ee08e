"""Pass: SumPool2d and AvgPool2d become part of the synapse behind them, because the chip has no place that pools.

    y[c, i, j] = sum of x[c, i s - p + di, j s - p + dj] over the kernel's (di, dj), divided by its area if it averages

Padding counts as zeros in the average, as in torch (count_include_pad). What becomes of it:

- Before a convolution: one convolution whose kernel is the two kernels composed, K[ky s + di] = sum of k[ky], and whose
  stride is the product of both. Exact where the convolution does not pad, or where its padding meets no window that
  still holds a pixel; elsewhere both together become one matrix.
- Before a Linear or Affine node: the matrix times the pooling, expanded.
- Before anything else (a neuron, a Scale): a convolution of ones, a channel each; a matrix where the neuron is flat.

A pooling that does not follow an image, or whose matrix would be huge, stays.
"""

from __future__ import annotations

from dataclasses import replace

import nir
import numpy as np
from numpy.typing import NDArray

from ..nir_graph import NEURONS, POOLS, pair, shape_of
from .rewrite import Rewrite

Floats = NDArray[np.float64]
Image = tuple[int, int, int]
# elements of the largest matrix that is written out
_LARGEST = 1 << 26


def fold_pooling(graph: nir.NIRGraph) -> nir.NIRGraph:
    """The graph without the pooling nodes whose input is an image, the last ones first."""
    rewrite = Rewrite(graph)
    waiting = [name for name, node in graph.nodes.items() if isinstance(node, POOLS)]
    while waiting:
        name = next(n for n in waiting if not set(rewrite.after(n)) & set(waiting))
        waiting.remove(name)
        shape = _image(rewrite, name, graph)
        if shape is not None:
            _fold(rewrite, name, _Window(rewrite.nodes[name], shape))
    return rewrite.graph()


class _Window:
    """A pooling node's numbers for an input of a known shape."""

    def __init__(self, node: nir.NIRNode, shape: Image) -> None:
        self.shape = shape
        self.kernel, self.stride, self.padding = (pair(getattr(node, k)) for k in ("kernel_size", "stride", "padding"))
        self.factor = 1 / (self.kernel[0] * self.kernel[1]) if isinstance(node, nir.AvgPool2d) else 1.0
        sizes = zip(shape[1:], self.kernel, self.stride, self.padding, strict=True)
        self.pooled: Image = (shape[0], *((n + 2 * p - k) // s + 1 for n, k, s, p in sizes))  # type: ignore[assignment]

    def as_convolution(self) -> nir.Conv2d:
        """A convolution of ones, each channel by itself."""
        channels = self.shape[0]
        weight = np.full((channels, 1, *self.kernel), self.factor)
        return nir.Conv2d(self.shape[1:], weight, self.stride, self.padding, (1, 1), channels, np.zeros(channels))

    def behind(self, weight: Floats) -> Floats | None:
        """A matrix that reads the pooled image -> the one that reads the image itself."""
        size = int(np.prod(self.pooled))
        if weight.ndim != 2 or weight.shape[1] != size or len(weight) * int(np.prod(self.shape)) > _LARGEST:
            return None
        rows, columns = (
            _taps(n, out, k, s, p, 1).sum(axis=0)
            for n, out, k, s, p in zip(
                self.shape[1:], self.pooled[1:], self.kernel, self.stride, self.padding, strict=True
            )
        )
        images = weight.reshape(-1, *self.pooled)
        expanded: Floats = np.einsum("ochw,hy,wx->ocyx", images, rows, columns, optimize=True) * self.factor
        return expanded.reshape(len(weight), -1)


def _fold(rewrite: Rewrite, name: str, window: _Window) -> None:
    flat = any(shape_of(neuron) != window.pooled for neuron in _neurons(rewrite, name))
    rewrite.fold_forward(name, lambda synapse: _merged(synapse, window))
    if name not in rewrite.nodes:
        return
    if flat:
        matrix = window.behind(np.eye(int(np.prod(window.pooled)))) if _fits(window) else None
        if matrix is not None:
            rewrite.nodes[name] = nir.Linear(weight=matrix)
        return
    rewrite.nodes[name] = window.as_convolution()


def _neurons(rewrite: Rewrite, name: str) -> list[nir.NIRNode]:
    """The neurons a pooling reaches without a synapse, through Scale nodes."""
    found: list[nir.NIRNode] = []
    for target in rewrite.after(name):
        node = rewrite.nodes[target]
        if isinstance(node, nir.Scale):
            found += _neurons(rewrite, target)
        elif isinstance(node, NEURONS):
            found.append(node)
    return found


def _fits(window: _Window) -> bool:
    return int(np.prod(window.pooled)) * int(np.prod(window.shape)) <= _LARGEST


def _merged(synapse: nir.NIRNode, window: _Window) -> nir.NIRNode | None:
    weight = np.asarray(synapse.weight, np.float64)
    if not isinstance(synapse, nir.Conv2d):
        matrix = window.behind(weight)
        merged: nir.NIRNode | None = None if matrix is None else replace(synapse, weight=matrix)
        return merged
    usable = not isinstance(synapse.padding, str) and weight.ndim == 4
    if not usable or len(weight) % synapse.groups or weight.shape[1] * synapse.groups != window.pooled[0]:
        return None
    return _composed(synapse, weight, window) if _composes(synapse, window) else _expanded(synapse, weight, window)


def _composes(conv: nir.Conv2d, window: _Window) -> bool:
    """Whether no pooled pixel that the convolution takes for 0 would hold one of the image."""
    axes = zip(
        pair(conv.padding), window.kernel, window.stride, window.padding, window.shape[1:], window.pooled[1:],
        strict=True,
    )  # fmt: skip
    # the windows just before the first and just behind the last one
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


def _expanded(conv: nir.Conv2d, weight: Floats, window: _Window) -> nir.Affine | None:
    """Both as one matrix; the bias stays, one value a channel, repeated."""
    axes = [
        (n, (n + 2 * p - d * (k - 1) - 1) // s + 1, k, s, p, d)
        for n, k, s, p, d in zip(
            window.pooled[1:], weight.shape[2:], pair(conv.stride), pair(conv.padding), pair(conv.dilation),
            strict=True,
        )
    ]  # fmt: skip
    places = axes[0][1] * axes[1][1]
    size = len(weight) * places
    bias = np.asarray(conv.bias, np.float64).reshape(-1)
    if size * max(int(np.prod(window.pooled)), int(np.prod(window.shape))) > _LARGEST or len(bias) != len(weight):
        return None
    rows, columns = (_taps(*axis) for axis in axes)
    # every output channel over all input channels: 0 outside its group
    full = np.zeros((len(weight), window.pooled[0], *weight.shape[2:]))
    each, inputs = len(weight) // conv.groups, weight.shape[1]
    for group in range(conv.groups):
        outs = slice(group * each, (group + 1) * each)
        full[outs, group * inputs : (group + 1) * inputs] = weight[outs]
    matrix = np.einsum("ocab,ahy,bwx->ohwcyx", full, rows, columns, optimize=True).reshape(size, -1)
    expanded = window.behind(matrix)
    return None if expanded is None else nir.Affine(weight=expanded, bias=np.repeat(bias, places))


def _taps(size: int, out: int, kernel: int, stride: int, padding: int, dilation: int) -> Floats:
    """taps[k, o, i] is 1 where output o reads input i through the kernel's element k, along one axis."""
    k, o = np.ogrid[:kernel, :out]
    read = o * stride - padding + k * dilation
    taps: Floats = (read[:, :, None] == np.arange(size)).astype(np.float64)
    return taps


def _image(rewrite: Rewrite, name: str, graph: nir.NIRGraph) -> Image | None:
    """Shape of what a pooling reads, if it is one image shape and every number of the pooling is sensible."""
    shapes = {_signal_shape(rewrite, source) for source in rewrite.before(name)}
    shape = next(iter(shapes)) if len(shapes) == 1 else None
    node = graph.nodes[name]
    numbers = [pair(getattr(node, key)) for key in ("kernel_size", "stride", "padding")]
    if shape is None or len(shape) != 3 or min(*numbers[0], *numbers[1]) < 1 or min(numbers[2]) < 0:
        return None
    image = shape[0], shape[1], shape[2]
    return image if min(_Window(node, image).pooled) >= 1 else None


def _signal_shape(rewrite: Rewrite, name: str) -> tuple[int, ...] | None:
    """Shape of what a node puts out, through poolings that are still there."""
    node = rewrite.nodes[name]
    if not isinstance(node, POOLS):
        known = node.output_type is not None and node.output_type.get("output") is not None
        return shape_of(node) if known else None
    shapes = {_signal_shape(rewrite, source) for source in rewrite.before(name)}
    shape = next(iter(shapes)) if len(shapes) == 1 else None
    return _Window(node, (shape[0], shape[1], shape[2])).pooled if shape is not None and len(shape) == 3 else None
