"""Synapses of a connection as a core stores them: how many per source element, and whether as a list."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.mapping.model import Encoding
from spikeport.exporter.program.chip_program import ChipProgram, Connection, ConvConnection, SparseConnection

# nengo-loihi, block.py, SynapseConfig.INDEX_BITS_MAP: the shortest and longest index of a synapse in its core
_INDEX_BITS = (6, 12)


def index_bits(targets: int) -> int:
    """Bits of a listed synapse's index, in addition to its weight, for this many targets."""
    low, high = _INDEX_BITS
    return min(high, max(low, math.ceil(math.log2(max(targets, 1)))))


def is_list(connection: Connection, program: ChipProgram) -> bool:
    """Whether synapses of 0 are left out: in sparse connections, and in the parts of a split synapse."""
    if isinstance(connection, SparseConnection):
        return True
    if not connection.synapse:
        return False
    return sum(_family(c) == _family(connection) for c in program.connections) > 1


def synapse_count(connection: Connection, program: ChipProgram) -> int:
    """Number of stored and accessed synapses, including zeros of a dense matrix or kernel."""
    return int(fan_outs(connection, program).sum())


def fan_outs(connection: Connection, program: ChipProgram) -> NDArray[np.int64]:
    """Synapses that each source element drives, (source size,)."""
    size = program.source_size(connection.source)
    if isinstance(connection, ConvConnection):
        return fan_out(connection, not is_list(connection, program))
    if isinstance(connection, SparseConnection):
        return np.bincount(connection.indices, minlength=size).astype(np.int64)
    if is_list(connection, program):
        stored: NDArray[np.int64] = np.count_nonzero(connection.weights, axis=0).astype(np.int64)
        return stored
    return np.full(size, program.population(connection.target).size, np.int64)


def fan_out(connection: ConvConnection, zeros: bool = True) -> NDArray[np.int64]:
    """Synapses that each input element of a convolution drives, (channels * height * width,); zeros: count zeros."""
    hits = [_hits(connection, axis) for axis in (0, 1)]
    out, inside, height, width = connection.weights.shape
    grouped = connection.weights.reshape(connection.groups, out // connection.groups, inside, height, width)
    stored = np.ones_like(grouped, np.int64) if zeros else (grouped != 0).astype(np.int64)
    kernels = stored.sum(axis=1).reshape(connection.groups * inside, height, width)
    counts: NDArray[np.int64] = np.einsum("ckl,yk,xl->cyx", kernels, *hits).reshape(-1)
    return counts


def _hits(connection: ConvConnection, axis: int) -> NDArray[np.int64]:
    """Outputs for which a kernel element is at an input position, (input length, kernel length), along an axis."""
    length, out = connection.input_shape[1 + axis], connection.output_shape[1 + axis]
    size = connection.weights.shape[2 + axis]
    hits = np.zeros((length, size), np.int64)
    for o in range(out):
        for k in range(size):
            position = o * connection.stride[axis] - connection.padding[axis] + k * connection.dilation[axis]
            if 0 <= position < length:
                hits[position, k] += 1
    return hits


def encoding(connection: Connection, program: ChipProgram) -> Encoding:
    """The format in which a core stores the connection's synapses."""
    if isinstance(connection, ConvConnection):
        return "conv"
    return "sparse" if is_list(connection, program) else "dense"


def _family(connection: Connection) -> tuple[str, str, str]:
    return connection.source, connection.target, connection.synapse
