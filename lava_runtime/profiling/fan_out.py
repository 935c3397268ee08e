"""The parts that a source element reaches and its synapses there, computed once per program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from spikeport.exporter.mapping import Encoding, encoding, is_list
from spikeport.exporter.program.chip_program import ChipProgram, Connection, ConvConnection, SparseConnection
from spikeport.lava_runtime.kernels.counting import reached_by_convolution

from .placement import Placement


@dataclass(frozen=True)
class UniformFanOut:
    """A connection whose source elements all reach the same parts with the same number of synapses.

    targets: parts reached; synapses: of one source element on each of them; hops, chip_hops: from each of the
    source's parts to all of them together.
    """

    source: str
    encoding: Encoding
    targets: slice
    synapses: NDArray[np.int64]
    hops: NDArray[np.float64]
    chip_hops: NDArray[np.float64]


@dataclass(frozen=True)
class PerSourceFanOut:
    """A connection whose source elements reach different parts: a compressed matrix (source size, parts).

    synapses: of an element on a part; targets: the part; indptr: start of each element's entries, (source size + 1,);
    hops, chip_hops: of all of an element's messages, (source size,).
    """

    source: str
    encoding: Encoding
    indptr: NDArray[np.int64]
    targets: NDArray[np.int64]
    synapses: NDArray[np.int64]
    hops: NDArray[np.float64]
    chip_hops: NDArray[np.float64]


FanOut = UniformFanOut | PerSourceFanOut


def fan_out(connection: Connection, program: ChipProgram, placement: Placement) -> FanOut:
    """The synapses of every source element by part; zeros count if the core stores them."""
    format_ = encoding(connection, program)
    slots = placement.slots[connection.target]
    listed = is_list(connection, program)
    if not isinstance(connection, (ConvConnection, SparseConnection)) and not listed:
        targets, own = placement.of(connection.target), placement.of(connection.source)
        distances = placement.hops(np.arange(own.start, own.stop)[:, None], np.arange(targets.start, targets.stop))
        hops, chip_hops = (distance.sum(axis=1) for distance in distances)
        return UniformFanOut(connection.source, format_, targets, placement.sizes[targets], hops, chip_hops)
    shape = (program.source_size(connection.source), len(placement.parts))
    if isinstance(connection, ConvConnection):
        matrix = _convolved(connection, slots, shape, zeros=not listed)
    elif isinstance(connection, SparseConnection):
        matrix = _listed(connection.indices, np.repeat(slots, np.diff(connection.indptr)), shape)
    else:
        rows, columns = np.nonzero(connection.weights)
        matrix = _listed(columns, slots[rows], shape)
    indptr, targets = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64)
    elements = np.repeat(np.arange(shape[0]), np.diff(indptr))
    hops, chip_hops = (
        np.bincount(elements, distance, shape[0]).astype(np.float64)
        for distance in placement.hops(placement.slots[connection.source][elements], targets)
    )
    return PerSourceFanOut(connection.source, format_, indptr, targets, matrix.data.astype(np.int64), hops, chip_hops)


def _listed(elements: NDArray[Any], reached: NDArray[np.int64], shape: tuple[int, int]) -> Any:
    """Synapses counted by element and part, from lists of both."""
    return coo_array((np.ones(len(elements), np.int64), (elements, reached)), shape=shape).tocsr()


def _convolved(connection: ConvConnection, slots: NDArray[np.int64], shape: tuple[int, int], zeros: bool) -> Any:
    """The same for a convolution, which has too many synapses to list."""
    stored = np.ones(connection.weights.shape, np.bool_) if zeros else connection.weights != 0
    geometry = (
        stored, connection.input_shape, connection.output_shape, connection.stride, connection.padding,
        connection.dilation, slots, np.zeros(shape[1], np.int64),
    )  # fmt: skip
    indptr, none = np.zeros(shape[0] + 1, np.int64), np.empty(0, np.int64)
    reached_by_convolution(*geometry, indptr, none, none)
    targets, synapses = np.empty(indptr[-1], np.int64), np.empty(indptr[-1], np.int64)
    reached_by_convolution(*geometry, indptr, targets, synapses)
    return csr_array((synapses, targets, indptr), shape=shape)
