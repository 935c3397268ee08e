"""Convolutions without unfolding: every spike adds its kernel to a sum with channels innermost.

The sum has a margin, so that no spike checks the image borders. With a stride, a spike reaches only every stride-th
element of its kernel: kernels are stored by the spike's position modulo the stride, in the layout in which their rows
are added. The result is the sum * 2**exponent, cut to 24 bit as in lava.proc.conv (utils.signed_clamp).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.compiled import njit
from spikeport.exporter.program.chip_program import ConvConnection

from .spike_events import Integers, SpikeEvents
from .transpose import SIDE, transpose

Kernel = NDArray[np.int32]
_INT16_MAX = 32767
_VECTOR = 16


@dataclass(frozen=True)
class _Plan:
    """Where a spike's kernel is added.

    kernels: (kernels, rows, columns * channels of a group, padded with zeros to whole vectors). kernel, row, offset,
    (source size,): each source element's kernel, -1 for none, its first row in the sum, and its offset there. shape: of
    the sum, (groups, rows, columns, channels of a group). margin: rows and columns before the image.
    """

    kernels: NDArray[Any]
    kernel: Integers
    row: Integers
    offset: Integers
    shape: tuple[int, int, int, int]
    margin: tuple[int, int]


class ConvSynapses:
    """A convolution whose sources have one or several classes, each with its own kernels.

    kernels: (out, in / groups, h, w) for each class; classes: the class of every source element, -1 for none.
    """

    def __init__(self, c: ConvConnection, kernels: Sequence[Kernel], classes: Integers, graded: bool) -> None:
        self._exponent, self._image = c.weight_exp, c.output_shape
        # in 16 bit, if no sum of spikes can overflow, twice as many channels are added at once
        longest = int(np.abs(np.stack(list(kernels))).sum(axis=(0, 2, 3, 4)).max(initial=0))
        kind = np.int16 if longest <= _INT16_MAX and not graded else np.int32
        self._plan = _plan(c, [kernel.astype(kind) for kernel in kernels], classes)
        self._add = add_kernels_times_payload if graded else add_kernels

    def deliver(self, active: SpikeEvents, target: Integers) -> None:
        """Add to target (batch, size) what the active sources send."""
        plan = self._plan
        self._add(
            plan.kernels, plan.kernel, plan.row, plan.offset, plan.shape, plan.margin, self._exponent,
            active.index, active.begin, active.payload, target.reshape(-1, *self._image),
        )  # fmt: skip


def _plan(c: ConvConnection, kernels: Sequence[Kernel], classes: Integers) -> _Plan:
    rows, columns = _Axis.of(c, 0), _Axis.of(c, 1)
    channels, per_group = c.output_shape[0] // c.groups, c.input_shape[0] // c.groups
    table = np.zeros(
        (len(kernels), rows.stride, columns.stride, c.input_shape[0], rows.reach, columns.reach, channels),
        kernels[0].dtype,
    )
    for number, kernel in enumerate(kernels):
        # (out, in / groups, h, w) -> (in, h, w, out / groups): for each input channel the kernels of its own group
        grouped = kernel.reshape(c.groups, channels, per_group, *kernel.shape[2:]).transpose(0, 2, 3, 4, 1)
        by_input = grouped.reshape(c.input_shape[0], *kernel.shape[2:], channels)
        for ky, kx in np.ndindex(kernel.shape[2:]):
            (down, r), (right, q) = rows.offset(ky), columns.offset(kx)
            table[number, down, right, :, r, q] = by_input[:, ky, kx]
    flat = table.reshape(-1, rows.reach, columns.reach * channels)
    channel, y, x = np.indices(c.input_shape)
    (qy, py), (qx, px) = rows.first(y), columns.first(x)
    image_classes = classes.reshape(c.input_shape)
    kernel_index = np.asarray(np.ravel_multi_index((np.maximum(image_classes, 0), py, px, channel), table.shape[:4]))
    kernel_index[(image_classes < 0) | ~np.any(flat, axis=(1, 2))[kernel_index]] = -1
    return _Plan(
        kernels=np.pad(flat, ((0, 0), (0, 0), (0, -flat.shape[2] % _VECTOR))),
        kernel=kernel_index.reshape(-1).astype(np.int32),
        row=(channel // per_group * rows.size + qy).reshape(-1).astype(np.int32),
        offset=(qx * channels).reshape(-1).astype(np.int32),
        shape=(c.groups, rows.size, columns.size, channels),
        margin=(rows.reach - 1, columns.reach - 1),
    )


@dataclass(frozen=True)
class _Axis:
    """One axis of a convolution; reach: output positions that a source can reach; size: of the sum."""

    stride: int
    padding: int
    dilation: int
    reach: int
    size: int

    @classmethod
    def of(cls, c: ConvConnection, axis: int) -> _Axis:
        stride, padding, dilation = c.stride[axis], c.padding[axis], c.dilation[axis]
        extent = dilation * (c.weights.shape[2 + axis] - 1) + 1
        reach = -(-extent // stride)
        last = (c.input_shape[1 + axis] - 1 + padding) // stride
        return cls(stride, padding, dilation, reach, max(last + reach, reach - 1 + c.output_shape[1 + axis]))

    def offset(self, k: int) -> tuple[int, int]:
        """(remainder, offset): sources with the remainder meet kernel element k, offset from their first position."""
        before, remainder = divmod(k * self.dilation, self.stride)
        return remainder, self.reach - 1 - before

    def first(self, position: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """A source's first position in the sum, and its remainder."""
        first, remainder = np.divmod(position + self.padding, self.stride)
        return first, remainder


@njit(cache=True, nogil=True)
def add_kernels(kernels, kernel, row, offset, shape, margin, exponent, index, begin, _payload, target):
    """Add the kernels of the active sources to target (batch, channels, rows, columns)."""
    stride = shape[2] * shape[3]
    # the padding of a kernel row extends beyond the last row
    sums = np.zeros(shape[0] * shape[1] * stride + kernels.shape[2], kernels.dtype)
    touched = np.zeros(shape[0] * shape[1], np.uint8)
    for b in range(len(target)):
        for k in range(begin[b], begin[b + 1]):
            source = index[k]
            selected = kernel[source]
            if selected < 0:
                continue
            for r in range(kernels.shape[1]):
                weights = kernels[selected, r]
                first = (row[source] + r) * stride + offset[source]
                target_row = sums[first : first + kernels.shape[2]]
                for j in range(len(weights)):
                    target_row[j] += weights[j]
                touched[row[source] + r] = 1
        if begin[b + 1] > begin[b]:
            _move(sums, touched, shape, margin, exponent, target[b])


@njit(cache=True, nogil=True)
def add_kernels_times_payload(kernels, kernel, row, offset, shape, margin, exponent, index, begin, payload, target):
    """The same for graded spikes; the low 32 bits of a sum stay correct when it wraps."""
    stride = shape[2] * shape[3]
    # the padding of a kernel row extends beyond the last row
    sums = np.zeros(shape[0] * shape[1] * stride + kernels.shape[2], kernels.dtype)
    touched = np.zeros(shape[0] * shape[1], np.uint8)
    for b in range(len(target)):
        for k in range(begin[b], begin[b + 1]):
            source = index[k]
            selected = kernel[source]
            if selected < 0:
                continue
            for r in range(kernels.shape[1]):
                weights = kernels[selected, r]
                first = (row[source] + r) * stride + offset[source]
                target_row = sums[first : first + kernels.shape[2]]
                for j in range(len(weights)):
                    target_row[j] += np.int32(weights[j] * payload[k])
                touched[row[source] + r] = 1
        if begin[b + 1] > begin[b]:
            _move(sums, touched, shape, margin, exponent, target[b])


@njit(cache=True, inline="always")
def _move(sums, touched, shape, margin, exponent, target):
    """Add the touched rows to target (channels, rows, columns), and reset them to 0."""
    _, rows, columns, channels = shape
    factor = np.int32(1 << exponent)
    length = target.shape[2]
    transposed = np.empty((channels, length), np.int32)
    for n in range(len(touched)):
        if touched[n] == 0:
            continue
        touched[n] = 0
        line = sums[n * columns * channels : (n + 1) * columns * channels]
        g, y = n // rows, n % rows - margin[0]
        if y >= 0 and y < target.shape[1]:
            _transpose(line[margin[1] * channels : (margin[1] + length) * channels], transposed)
            for o in range(channels):
                arriving, row = target[g * channels + o, y], transposed[o]
                for x in range(length):
                    arriving[x] += np.int32(np.int32(np.int32(row[x] * factor) << 8) >> 8)
        line[:] = 0


@njit(cache=True, inline="always")
def _transpose(line, transposed):
    """From channels innermost to columns innermost: transposed (channels, columns)."""
    channels, columns = transposed.shape
    if channels < SIDE or columns < SIDE:
        for o in range(channels):
            for x in range(columns):
                transposed[o, x] = line[x * channels + o]
        return
    for o in range(0, channels, SIDE):
        # the last block overlaps the previous one if the size is not a multiple of SIDE
        first = min(o, channels - SIDE)
        for x in range(0, columns, SIDE):
            start = min(x, columns - SIDE)
            transpose(line, start * channels + first, channels, transposed, first * columns + start, columns)


def warm_up() -> None:
    """Compile, or load from the cache, the kernels of this module."""
    kernel = np.ones((1, 1, 1, 1), np.int32)
    for weight, graded in ((1, False), (_INT16_MAX + 1, False), (1, True)):
        c = ConvConnection(
            "", "", kernel * weight, 0, "mixed", 8, 1, (1, 1, 1), (1, 1, 1), (1, 1), (0, 0), (1, 1), 1
        )  # fmt: skip
        active = SpikeEvents.empty(1, 1, graded)
        active.read_payloads(np.ones((1, 1), np.int32)) if graded else active.read_spikes(np.ones((1, 1), np.uint8))
        ConvSynapses(c, [c.weights], np.zeros(1, np.int32), graded).deliver(active, np.zeros((1, 1), np.int32))
