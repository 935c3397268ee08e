"""Which source elements a core hears, and how many cores a source element sends to.

A convolution's spikes travel a position at a time: an axon is a place of the image, whatever its channel. Elsewhere an
axon is a source element. A dense matrix is heard from every source element, zeros or not; a list from those that it has
synapses of; a convolution from the places under the kernel.
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
        rows, columns = window(connection, neurons)
        return int(rows.sum()) * int(columns.sum())
    if encoding(connection, program) == "dense":
        return program.source_size(connection.source)
    return len(np.unique(sources_of(connection, neurons)))


def heard(connection: Connection, program: ChipProgram, neurons: NDArray[np.int64]) -> Elements:
    """Source elements that have a synapse on a core with these neurons of the target, ascending."""
    if isinstance(connection, ConvConnection):
        return _under_kernel(connection, neurons, is_list(connection, program))
    if encoding(connection, program) == "dense":
        return np.arange(program.source_size(connection.source), dtype=np.int64)
    return np.unique(sources_of(connection, neurons))


def window(connection: ConvConnection, neurons: NDArray[np.int64]) -> tuple[Mask, Mask]:
    """Rows and columns of the input that the kernel meets somewhere among these neurons."""
    _, height, width = connection.output_shape
    place = neurons % (height * width)
    found = []
    for axis, places in ((0, place // width), (1, place % width)):
        out = np.zeros(connection.output_shape[1 + axis], bool)
        out[places] = True
        found.append(meets(connection, axis)[:, out].any(axis=1))
    return found[0], found[1]


def meets(connection: ConvConnection, axis: int) -> Mask:
    """Whether a place of the input lies under the kernel at a place of the output, (input, output), along one axis."""
    length, out = connection.input_shape[1 + axis], connection.output_shape[1 + axis]
    taps = np.arange(connection.weights.shape[2 + axis]) * connection.dilation[axis]
    places = np.arange(out)[:, None] * connection.stride[axis] - connection.padding[axis] + taps
    found = np.zeros((length, out), bool)
    inside = (places >= 0) & (places < length)
    at, _ = np.nonzero(inside)
    found[places[inside], at] = True
    return found


def cores_heard_by(
    connection: Connection, program: ChipProgram, parts: Iterable[NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Number of cores that each source element sends to, (source size,); parts: the target's neurons, core by core."""
    found = np.zeros(program.source_size(connection.source), np.int64)
    for neurons in parts:
        if isinstance(connection, ConvConnection):
            rows, columns = window(connection, neurons)
            found.reshape(connection.input_shape)[:, rows[:, None] & columns] += 1
        else:
            found[heard(connection, program, neurons)] += 1
    return found


def _under_kernel(connection: ConvConnection, neurons: NDArray[np.int64], listed: bool) -> NDArray[np.int64]:
    """Source elements under a stored element of the kernel somewhere among these neurons, of their channels."""
    _, height, width = connection.output_shape
    channels, place = np.unique(neurons // (height * width)), neurons % (height * width)
    out, inside = connection.weights.shape[:2]
    stored = connection.weights[channels] != 0 if listed else np.ones_like(connection.weights[channels], bool)
    taps = np.zeros((connection.groups, *stored.shape[1:]), bool)
    np.logical_or.at(taps, channels // (out // connection.groups), stored)
    met = [_taps_met(connection, axis, np.unique(p)) for axis, p in ((0, place // width), (1, place % width))]
    rows, columns = (np.flatnonzero(m.any(axis=1)) for m in met)
    kernel = taps.reshape(connection.groups * inside, *stored.shape[2:]).astype(np.int64)
    reached = np.einsum("ckl,yk,xl->cyx", kernel, met[0][rows].astype(np.int64), met[1][columns].astype(np.int64))
    c, y, x = np.nonzero(reached)
    found: NDArray[np.int64] = (c * connection.input_shape[1] + rows[y]) * connection.input_shape[2] + columns[x]
    return found


def _taps_met(connection: ConvConnection, axis: int, outputs: NDArray[np.int64]) -> Mask:
    """Whether a place of the input lies under an element of the kernel at one of these outputs, (input, kernel)."""
    length, taps = connection.input_shape[1 + axis], np.arange(connection.weights.shape[2 + axis])
    places = outputs[:, None] * connection.stride[axis] - connection.padding[axis] + taps * connection.dilation[axis]
    found = np.zeros((length, len(taps)), bool)
    inside = (places >= 0) & (places < length)
    _, tap = np.nonzero(inside)
    found[places[inside], tap] = True
    return found
