"""Source elements from which a core receives input, and the number of cores to which a source element sends.

An axon of a convolution is a position of the image, shared by all channels. Elsewhere an axon is a source element. A
core receives input from every source element of a dense matrix, zeros or not; from those with a synapse in a list; and
from the positions under a convolution's kernel.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.program.chip_program import ChipProgram, Connection, ConvConnection

from .encodings import sources_of
from .synapses import encoding, is_list

Mask = NDArray[np.bool_]
Elements = NDArray[np.int32] | NDArray[np.int64]


def axons_in(connection: Connection, program: ChipProgram, neurons: NDArray[np.int64]) -> int:
    """Input axons that a core with these neurons of the target needs for the connection."""
    if isinstance(connection, ConvConnection):
        rows, columns = receptive_field(connection, neurons)
        return int(rows.sum()) * int(columns.sum())
    if encoding(connection, program) == "dense":
        return program.source_size(connection.source)
    return len(np.unique(sources_of(connection, neurons)))


def receives_from(connection: Connection, program: ChipProgram, neurons: NDArray[np.int64]) -> Elements:
    """Source elements with a synapse on a core with these neurons of the target, ascending."""
    if isinstance(connection, ConvConnection):
        return _under_kernel(connection, neurons, is_list(connection, program))
    if encoding(connection, program) == "dense":
        return np.arange(program.source_size(connection.source), dtype=np.int64)
    return np.unique(sources_of(connection, neurons))


def receptive_field(connection: ConvConnection, neurons: NDArray[np.int64]) -> tuple[Mask, Mask]:
    """Rows and columns of the input under the kernel of any of these neurons."""
    _, height, width = connection.output_shape
    position = neurons % (height * width)
    masks = []
    for axis, positions in ((0, position // width), (1, position % width)):
        out = np.zeros(connection.output_shape[1 + axis], bool)
        out[positions] = True
        masks.append(under_kernel(connection, axis)[:, out].any(axis=1))
    return masks[0], masks[1]


def under_kernel(connection: ConvConnection, axis: int) -> Mask:
    """Whether an input position is under the kernel of an output position, (input, output), along one axis."""
    length, out = connection.input_shape[1 + axis], connection.output_shape[1 + axis]
    taps = np.arange(connection.weights.shape[2 + axis]) * connection.dilation[axis]
    positions = np.arange(out)[:, None] * connection.stride[axis] - connection.padding[axis] + taps
    mask = np.zeros((length, out), bool)
    inside = (positions >= 0) & (positions < length)
    outputs, _ = np.nonzero(inside)
    mask[positions[inside], outputs] = True
    return mask


def cores_reached(
    connection: Connection, program: ChipProgram, parts: Iterable[NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Number of cores to which each source element sends, (source size,); parts: the target's neurons per core."""
    counts = np.zeros(program.source_size(connection.source), np.int64)
    for neurons in parts:
        if isinstance(connection, ConvConnection):
            rows, columns = receptive_field(connection, neurons)
            counts.reshape(connection.input_shape)[:, rows[:, None] & columns] += 1
        else:
            counts[receives_from(connection, program, neurons)] += 1
    return counts


def _under_kernel(connection: ConvConnection, neurons: NDArray[np.int64], listed: bool) -> NDArray[np.int64]:
    """Source elements under a stored element of the kernel of any of these neurons."""
    _, height, width = connection.output_shape
    channels, position = np.unique(neurons // (height * width)), neurons % (height * width)
    out, inside = connection.weights.shape[:2]
    stored = connection.weights[channels] != 0 if listed else np.ones_like(connection.weights[channels], bool)
    taps = np.zeros((connection.groups, *stored.shape[1:]), bool)
    np.logical_or.at(taps, channels // (out // connection.groups), stored)
    met = [_taps_met(connection, axis, np.unique(p)) for axis, p in ((0, position // width), (1, position % width))]
    rows, columns = (np.flatnonzero(m.any(axis=1)) for m in met)
    kernel = taps.reshape(connection.groups * inside, *stored.shape[2:]).astype(np.int64)
    reached = np.einsum("ckl,yk,xl->cyx", kernel, met[0][rows].astype(np.int64), met[1][columns].astype(np.int64))
    c, y, x = np.nonzero(reached)
    sources: NDArray[np.int64] = (c * connection.input_shape[1] + rows[y]) * connection.input_shape[2] + columns[x]
    return sources


def _taps_met(connection: ConvConnection, axis: int, outputs: NDArray[np.int64]) -> Mask:
    """Whether an input position is under a kernel element of any of these outputs, (input, kernel)."""
    length, taps = connection.input_shape[1 + axis], np.arange(connection.weights.shape[2 + axis])
    positions = outputs[:, None] * connection.stride[axis] - connection.padding[axis] + taps * connection.dilation[axis]
    mask = np.zeros((length, len(taps)), bool)
    inside = (positions >= 0) & (positions < length)
    _, tap = np.nonzero(inside)
    mask[positions[inside], tap] = True
    return mask
