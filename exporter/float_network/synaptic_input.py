"""A connection's synaptic input, by events: spikes are sparse, so only their weights are read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from .float_network import ConvGeometry, FloatConnection, Floats
from .kernels import scatter

# above this fraction of active sources a full matrix product is faster
_DENSE = 0.15
# most synapses of a convolution that are listed; larger ones are always computed as a convolution
_MAX_LISTED = 1 << 25


class SynapticInput:
    """A connection with one row per source element, (source size, target size), if it is small enough to be listed."""

    def __init__(self, connection: FloatConnection) -> None:
        self._connection = connection
        self._rows = _by_source(connection)

    def __call__(self, sent: NDArray[Any], total: Floats) -> None:
        """Add to total (batch, target size) the weighted sums of what was sent, (batch, source size)."""
        if self._rows is None or np.count_nonzero(sent) > _DENSE * sent.size:
            total += arriving(self._connection, sent.astype(np.float64))
        else:
            scatter(self._rows.indptr, self._rows.indices, self._rows.data, np.ascontiguousarray(sent), total)


def arriving(connection: FloatConnection, sent: Floats) -> Floats:
    """The synaptic input of each target, (batch, target size), given what was sent, (batch, source size)."""
    if connection.geometry is None:
        # weights first: a csr_array on the right of @ becomes a slow conversion
        result: Floats = (connection.weights @ sent.T).T
        return result
    return _correlate(connection.geometry, connection.weights, sent)


def conv_matrix(geometry: ConvGeometry, kernel: Floats) -> csr_array:
    """A convolution as an equivalent matrix (target size, source size)."""
    out, inside, tall, wide = kernel.shape
    channels, height, width = geometry.input_shape
    _, rows, columns = geometry.output_shape
    groups = geometry.groups
    targets, sources, values = [], [], []
    for ky in range(tall):
        for kx in range(wide):
            y = np.arange(rows) * geometry.stride[0] - geometry.padding[0] + ky * geometry.dilation[0]
            x = np.arange(columns) * geometry.stride[1] - geometry.padding[1] + kx * geometry.dilation[1]
            oy, ox = np.flatnonzero((y >= 0) & (y < height)), np.flatnonzero((x >= 0) & (x < width))
            target_position = (oy[:, None] * columns + ox).reshape(-1)
            source_position = (y[oy][:, None] * width + x[ox]).reshape(-1)
            o, c = np.meshgrid(np.arange(out), np.arange(inside), indexing="ij")
            source = (o // (out // groups)) * inside + c
            targets.append((o[..., None] * (rows * columns) + target_position).reshape(-1))
            sources.append((source[..., None] * (height * width) + source_position).reshape(-1))
            values.append(np.broadcast_to(kernel[:, :, ky, kx, None], (out, inside, len(target_position))).reshape(-1))
    shape = math.prod(geometry.output_shape), channels * height * width
    ends = np.concatenate(targets), np.concatenate(sources)
    return csr_array(coo_array((np.concatenate(values), ends), shape=shape))


def _by_source(connection: FloatConnection) -> csr_array | None:
    geometry = connection.geometry
    if geometry is None:
        return csr_array(csr_array(connection.weights).T)
    synapses = math.prod(geometry.output_shape) * math.prod(connection.weights.shape[1:])
    if synapses > _MAX_LISTED:
        return None
    return csr_array(conv_matrix(geometry, connection.weights).T)


def _correlate(geometry: ConvGeometry, kernel: Floats, sent: Floats) -> Floats:
    """Cross-correlation of images (batch, channels * height * width), as torch and NIR define it."""
    batch, (channels, rows, columns) = len(sent), geometry.output_shape
    (top, side), (down, right), (tall, wide) = geometry.padding, geometry.stride, geometry.dilation
    image = np.pad(sent.reshape(batch, *geometry.input_shape), ((0, 0), (0, 0), (top, top), (side, side)))
    extent = tall * (kernel.shape[2] - 1) + 1, wide * (kernel.shape[3] - 1) + 1
    windows = sliding_window_view(image, (1, 1, *extent))[:, :, ::down, ::right, 0, 0, ::tall, ::wide]
    windows = windows[:, :, :rows, :columns]
    inside, outside = kernel.shape[1], channels // geometry.groups
    parts = [
        np.tensordot(
            windows[:, g * inside : (g + 1) * inside],
            kernel[g * outside : (g + 1) * outside],
            axes=((1, 4, 5), (1, 2, 3)),
        )
        for g in range(geometry.groups)
    ]
    result: Floats = np.concatenate(parts, axis=3).transpose(0, 3, 1, 2).reshape(batch, -1)
    return result
