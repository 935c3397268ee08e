"""Synaptic operations per step of every neuron, connection by connection, from the rates of its sources."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from spikeport.exporter.mapping import is_list
from spikeport.exporter.program.chip_program import ChipProgram, Connection, ConvConnection, SparseConnection

Floats = NDArray[np.float64]


def synaptic_load(connection: Connection, program: ChipProgram, rates: Floats) -> Floats:
    """Synapses accessed per step for each target neuron, (target size,); zeros count if the core stores them."""
    listed = is_list(connection, program)
    if isinstance(connection, ConvConnection):
        return _convolved(connection, rates, listed)
    if isinstance(connection, SparseConnection):
        targets = np.repeat(np.arange(len(connection.indptr) - 1), np.diff(connection.indptr))
        return np.bincount(targets, rates[connection.indices], len(connection.indptr) - 1).astype(np.float64)
    if listed:
        load: Floats = (connection.weights != 0) @ rates
        return load
    return np.full(len(connection.weights), rates.sum())


def _convolved(connection: ConvConnection, rates: Floats, listed: bool) -> Floats:
    channels, height, width = connection.input_shape
    outs, rows, columns = connection.output_shape
    kernel = connection.weights.shape[2:]
    (top, left), (down, right), (apart, beside) = connection.padding, connection.stride, connection.dilation
    padded = np.pad(rates.reshape(channels, height, width), ((0, 0), (top, top + down), (left, left + right)))
    span = (kernel[0] - 1) * apart + 1, (kernel[1] - 1) * beside + 1
    windows: NDArray[Any] = sliding_window_view(padded, span, axis=(1, 2))  # type: ignore[call-overload]
    windows = windows[:, ::down, ::right, ::apart, ::beside][:, :rows, :columns]
    grouped = windows.reshape(connection.groups, channels // connection.groups, rows, columns, *kernel)
    per_group = outs // connection.groups
    if not listed:
        summed: Floats = grouped.sum(axis=(1, 4, 5))
        return np.repeat(summed[:, None], per_group, axis=1).reshape(-1)
    stored = (connection.weights != 0).reshape(connection.groups, per_group, channels // connection.groups, *kernel)
    load: Floats = np.einsum("gcyxkl,gockl->goyx", grouped, stored.astype(np.float64), optimize=True)
    return load.reshape(-1)
