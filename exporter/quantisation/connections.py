"""The chip's connections for rounded parts of a synapse: dense, sparse if that takes less memory, or convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from spikeport.exporter.float_network.float_network import FloatConnection
from spikeport.exporter.mapping import index_bits
from spikeport.exporter.program.chip_program import (
    Connection,
    ConvConnection,
    DenseConnection,
    Integers,
    SparseConnection,
)
from spikeport.hardware_profiles.fixed_point import SignMode, sign_mode, weight_grid

from .weight_splitting import WeightPart


def connections_of(
    connection: FloatConnection, name: str, weight_parts: Sequence[WeightPart], weight_bits: int, targets: int
) -> list[Connection]:
    """The chip's connections for the parts of one synapse, all under its name."""
    return [_connection(connection, name, part, weight_bits, targets, len(weight_parts) > 1) for part in weight_parts]


def _connection(
    connection: FloatConnection, name: str, part: WeightPart, weight_bits: int, targets: int, one_of_many: bool
) -> Connection:
    ends = connection.source, connection.target
    others: dict[str, Any] = {"axonal_delays": connection.axonal_delays, "synapse": name}
    mode = _mode(part, weight_bits)
    shape = connection.geometry
    if shape is not None:
        kernel = part.weights.toarray().reshape(connection.weights.shape).astype(np.int32)
        return ConvConnection(
            *ends, kernel, part.exponent, mode, weight_bits, connection.delay, shape.input_shape, shape.output_shape,
            shape.stride, shape.padding, shape.dilation, shape.groups, **others,
        )  # fmt: skip
    rows = part.weights
    stored = rows.nnz * (weight_bits + index_bits(targets))
    if isinstance(connection.weights, csr_array) or one_of_many or stored < rows.shape[0] * rows.shape[1] * weight_bits:
        rows.sort_indices()
        indices, indptr = rows.indices.astype(np.int32), rows.indptr.astype(np.int64)
        return SparseConnection(
            *ends, rows.data.astype(np.int32), part.exponent, mode, weight_bits, connection.delay, indices, indptr,
            **others,
        )  # fmt: skip
    dense: Integers = rows.toarray().astype(np.int32)
    return DenseConnection(*ends, dense, part.exponent, mode, weight_bits, connection.delay, **others)


def _mode(part: WeightPart, weight_bits: int) -> SignMode:
    """The sign mode of the integers if its grid holds them: the lowest weight of a mixed grid is in no other grid."""
    mode = sign_mode(part.weights.data)
    grid = weight_grid(mode, weight_bits)
    low, high = int(part.weights.data.min(initial=0)), int(part.weights.data.max(initial=0))
    return mode if grid.low <= low and high <= grid.high else part.mode
