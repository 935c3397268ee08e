"""Connections as products of whole numbers on torch's device, exact by a bound that is checked at every product.

A sum of products is exact in floating point, in any order, as long as the sum of their magnitudes is below the
significand's range: 2**24 in float32, where the factors are also below 2**11 so that tensor cores (TF32) hold them, and
2**53 in float64. Convolutions are unfolded into matrix products, because transforms (Winograd, FFT) round. What is done
with the sum is as in kernels/dense.py and kernels/convolution.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn.functional import unfold

from spikeport.common.errors import InputError
from spikeport.exporter.program.chip_program import (
    Connection,
    ConvConnection,
    DenseConnection,
    SparseConnection,
    delays_per_weight,
)

# numbers of a convolution that are unfolded at once
_UNFOLDED = 1 << 26
# weights that a sparse connection may have as a full matrix
LARGEST_MATRIX = 1 << 28
_SINGLE, _FACTOR, _DOUBLE, _WORD = 1 << 24, 1 << 11, 1 << 53, 1 << 31


@dataclass(frozen=True)
class MatrixPart:
    """Synapses of one delay; matrix: (target size, source size); wide: as in kernels/dense.py."""

    label: str
    delay: int
    matrix: NDArray[np.int32]
    exponent: int
    wide: bool
    device: torch.device

    def deliver(self, sent: Tensor, largest: int) -> Tensor:
        """What arrives, (rows, target size) int32, of what was sent, (rows, source size), at most `largest`."""
        if self.exponent < 0 and self.wide and self._largest_weight * largest >= _WORD:
            raise _too_large(self.label)
        kind = exact_kind(self.label, self._largest_sum * largest, max(self._largest_weight, largest))
        total = (sent.to(kind) @ self._transposed(kind)).to(torch.int64)
        if self.exponent >= 0:
            return (total << self.exponent).to(torch.int32)
        return ((total if self.wide else total.to(torch.int32)) >> -self.exponent).to(torch.int32)

    def _transposed(self, kind: torch.dtype) -> Tensor:
        return self._on_device.to(kind).T

    @cached_property
    def _on_device(self) -> Tensor:
        return torch.from_numpy(self.matrix).to(self.device)

    @cached_property
    def _largest_sum(self) -> int:
        return int(np.abs(self.matrix).sum(axis=1, dtype=np.int64).max(initial=0))

    @cached_property
    def _largest_weight(self) -> int:
        return int(np.abs(self.matrix).max(initial=0))


@dataclass(frozen=True)
class ConvPart:
    """A convolution's synapses of one delay: kernels, and the sources that each of them reads, None for all."""

    connection: ConvConnection
    delay: int
    kernels: tuple[NDArray[np.int32], ...]
    sources: tuple[NDArray[np.bool_] | None, ...]
    device: torch.device

    def deliver(self, sent: Tensor, largest: int) -> Tensor:
        """As MatrixPart.deliver; the sum is cut to 24 bit."""
        label = self.connection.label
        weight = max(int(np.abs(kernel).max(initial=0)) for kernel in self.kernels)
        bound = sum(int(np.abs(k).sum(axis=(1, 2, 3), dtype=np.int64).max(initial=0)) for k in self.kernels)
        kind = exact_kind(label, bound * largest, max(weight, largest))
        total = torch.cat([self._summed(rows, kind) for rows in torch.split(sent, self._rows)])
        shifted = (total << self.connection.weight_exp).to(torch.int32)
        return (shifted << 8) >> 8

    @property
    def _rows(self) -> int:
        c = self.connection
        places = c.output_shape[1] * c.output_shape[2]
        return max(1, _UNFOLDED // (places * c.input_shape[0] * c.weights.shape[2] * c.weights.shape[3]))

    def _summed(self, rows: Tensor, kind: torch.dtype) -> Tensor:
        total: Tensor | None = None
        for kernel, sources in zip(self.kernels, self.sources, strict=True):
            read = rows if sources is None else rows * torch.from_numpy(sources).to(rows)
            part = self._product(read.to(kind), torch.from_numpy(kernel).to(self.device, kind)).to(torch.int64)
            total = part if total is None else total + part
        assert total is not None
        return total

    def _product(self, rows: Tensor, kernel: Tensor) -> Tensor:
        c = self.connection
        images = rows.view(len(rows), *c.input_shape)
        columns = unfold(images, (kernel.shape[2], kernel.shape[3]), c.dilation, c.padding, c.stride)
        grouped = columns.view(len(rows), c.groups, -1, columns.shape[2])
        product = kernel.view(c.groups, c.output_shape[0] // c.groups, -1) @ grouped
        # one more row and column may be unfolded than the output has
        across = (images.shape[3] + 2 * c.padding[1] - c.dilation[1] * (kernel.shape[3] - 1) - 1) // c.stride[1] + 1
        images = product.reshape(len(rows), c.output_shape[0], -1, across)
        return images[:, :, : c.output_shape[1], : c.output_shape[2]].reshape(len(rows), -1)


Part = MatrixPart | ConvPart


def parts_of(connection: Connection, source_size: int, device: torch.device) -> list[Part]:
    """A connection's synapses by delay; raises InputError for a matrix that is too large."""
    if isinstance(connection, ConvConnection):
        return list(_convolutions(connection, source_size, device))
    assert isinstance(connection, (DenseConnection, SparseConnection))
    wide = isinstance(connection, DenseConnection) and connection.longest_delay > 1
    matrix, delays = _matrices(connection, source_size)
    steps = np.unique(delays[matrix != 0]) if connection.longest_delay > connection.delay else np.zeros(1, np.int32)
    masked = ((d, np.where(delays == d, matrix, 0) if len(steps) > 1 else matrix) for d in steps)
    return [
        MatrixPart(connection.label, connection.delay + int(d), part, connection.weight_exp, wide, device)
        for d, part in masked
    ]


def exact_kind(label: str, bound: int, factor: int) -> torch.dtype:
    """The type that sums of magnitudes up to `bound`, of factors up to `factor`, are exact in; raises InputError."""
    if bound < _SINGLE and factor <= _FACTOR:
        return torch.float32
    if bound >= _DOUBLE:
        raise _too_large(label)
    return torch.float64


def _too_large(label: str) -> InputError:
    return InputError(f"{label}: sums could be too large for exact products on --device cuda; use --device cpu")


def _matrices(
    connection: DenseConnection | SparseConnection, source_size: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The weights, (target size, source size), and each one's steps beyond `delay`."""
    weights, delays = connection.weights, delays_per_weight(connection)
    if isinstance(connection, DenseConnection):
        return np.ascontiguousarray(weights, np.int32), delays
    shape = len(connection.indptr) - 1, source_size
    if shape[0] * shape[1] > LARGEST_MATRIX:
        raise InputError(
            f"{connection.label}: is sparse and too large for a full matrix on --device cuda; use --device cpu"
        )

    def full(values: NDArray[Any]) -> NDArray[np.int32]:
        matrix = csr_array((values, connection.indices, connection.indptr), shape=shape)
        return np.asarray(matrix.toarray(), np.int32)

    return full(weights), full(delays)


def _convolutions(c: ConvConnection, source_size: int, device: torch.device) -> Iterator[ConvPart]:
    synaptic = np.zeros(c.weights.shape, np.int32) if c.synaptic_delays is None else c.synaptic_delays
    axonal = np.zeros(source_size, np.int32) if c.axonal_delays is None else c.axonal_delays
    kernels = {int(d): np.where(synaptic == d, c.weights, 0).astype(np.int32) for d in np.unique(synaptic)}
    sources = {int(d): axonal == d for d in np.unique(axonal)}
    for beyond in sorted({d + a for d in kernels for a in sources}):
        pairs = [(kernels[beyond - a], mask) for a, mask in sources.items() if beyond - a in kernels]
        masks = tuple(None if mask.all() else mask for _, mask in pairs)
        yield ConvPart(c, c.delay + beyond, tuple(kernel for kernel, _ in pairs), masks, device)
