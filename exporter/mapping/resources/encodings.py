"""Synaptic memory: bits of a connection's synapses in one core, by encoding.

The synapses that one axon drives in a core form a list: a header, then the synapses, in whole words of memory; a long
list starts anew after a number of synapses (nengo-loihi, block.py, SynapseConfig.bits_per_axon; NxTF,
data_structures.py).

    dense   a list per source element, of one weight for each neuron of the slice
    sparse  a list per source element that drives any of them, of nonzero weights with their indices
    conv    a list per kernel element and input channel, of one weight for each output channel of the slice;
            if the connection is one of several parts of a synapse, of nonzero weights with their indices

A synapse with a delay of its own also stores that, in as many bits as the longest takes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.program.chip_program import ChipProgram, Connection, ConvConnection, SparseConnection
from spikeport.hardware_profiles.schema import Limits

from .synapses import encoding, index_bits, is_list


@dataclass(frozen=True)
class ListFormat:
    """How a core stores the synapses of one axon: bits of a word and of a header, most synapses per list."""

    word: int
    header: int
    longest: int

    @classmethod
    def of(cls, limits: Limits) -> ListFormat:
        """A chip's format; what its profile leaves out costs nothing."""
        word, header, longest = limits.synapse_word_bits, limits.synapse_header_bits, limits.synapses_per_list
        return cls(int(word or 1), int(header or 0), int(longest or 1 << 30))

    def bits(self, counts: NDArray[np.int64], each: int) -> int:
        """Bits of lists of `counts` synapses of `each` bit; an empty list takes none."""
        full, rest = np.divmod(counts, self.longest)
        begun = np.where(rest > 0, self._rounded(rest * each + self.header), 0)
        return int(full.sum()) * int(self._rounded(self.longest * each + self.header)) + int(begun.sum())

    def equal(self, lists: int, length: int, each: int) -> int:
        """Bits of `lists` lists of one length."""
        return lists * self.bits(np.array([length], np.int64), each) if lists else 0

    def _rounded(self, bits: NDArray[np.int64] | int) -> NDArray[np.int64] | int:
        return -(-bits // self.word) * self.word


def delay_bits(steps: int) -> int:
    """Bits of a number of steps."""
    return int(steps).bit_length()


def synapse_bits(connection: Connection) -> int:
    """Bits of one synapse without its index: weight, and delay if synapses have their own."""
    delays = connection.synaptic_delays
    return connection.weight_bits + (0 if delays is None else delay_bits(int(delays.max(initial=0))))


def memory_bits(connection: Connection, program: ChipProgram, neurons: NDArray[np.int64], form: ListFormat) -> int:
    """Bits of the connection's synapses in a core with these neurons of the target."""
    each = synapse_bits(connection)
    if isinstance(connection, ConvConnection):
        channels = np.unique(neurons // math.prod(connection.output_shape[1:]))
        return kernel_bits(connection, channels, is_list(connection, program), form)
    if encoding(connection, program) == "dense":
        return form.equal(program.source_size(connection.source), len(neurons), each)
    _, counts = np.unique(sources_of(connection, neurons), return_counts=True)
    return form.bits(counts.astype(np.int64), each + index_bits(len(neurons)))


def kernel_bits(connection: ConvConnection, channels: NDArray[np.int64], listed: bool, form: ListFormat) -> int:
    """Bits of a kernel's part for some output channels."""
    out, inside, height, width = connection.weights.shape
    each, total = synapse_bits(connection), 0
    group = channels // (out // connection.groups)
    for number in np.unique(group):
        kernel = connection.weights[channels[group == number]]
        if listed:
            counts = np.count_nonzero(kernel, axis=0).reshape(-1).astype(np.int64)
            total += form.bits(counts, each + index_bits(connection.weights[:, 0].size))
        else:
            total += form.equal(inside * height * width, len(kernel), each)
    return total


def sources_of(connection: Connection, neurons: NDArray[np.int64]) -> NDArray[np.int32]:
    """Source element of every nonzero synapse of a matrix into some neurons."""
    if not isinstance(connection, SparseConnection):
        return np.nonzero(connection.weights[neurons])[1].astype(np.int32)
    start, stop = connection.indptr[neurons], connection.indptr[neurons + 1]
    if len(neurons) and int(neurons[-1]) - int(neurons[0]) == len(neurons) - 1:
        return connection.indices[start[0] : stop[-1]]
    rows = [connection.indices[a:b] for a, b in zip(start, stop, strict=True)]
    return np.concatenate([np.zeros(0, np.int32), *rows])
