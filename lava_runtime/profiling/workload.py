"""NeuroBench's workload metrics of a run, and the power proxy of the Intel N-DNS challenge.

As NeuroBench 2.3 computes them: connection sparsity over the weights of all synapses, activation sparsity over all
neurons and steps, effective operations only where input and weight are not zero (multiply-accumulates where the source
sends payloads, else accumulates), dense operations all of them; biases count nowhere, and a synapse that is split on
the chip counts once. Power proxy: (synaptic operations + 10 * neuron updates) per second of real time (Timcheck et al.
2023, arXiv 2303.09503); power-delay product: proxy * latency of the network.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spikeport.exporter.mapping import fan_out
from spikeport.exporter.program.chip_program import (
    ChipProgram,
    Connection,
    ConvConnection,
    DenseConnection,
    SparseConnection,
)
from spikeport.lava_runtime.result import SimulationResult

UPDATE_WEIGHT = 10


@dataclass(frozen=True)
class Workload:
    """Operations are means per inference; proxies are operations per second, and operations."""

    footprint_bytes: float
    connection_sparsity: float
    activation_sparsity: float
    effective_acs: float
    effective_macs: float
    dense_synops: float
    neuron_updates: float
    power_proxy: float
    power_delay_product: float


def workload(program: ChipProgram, result: SimulationResult, graded: Collection[str] = ()) -> Workload:
    """The metrics of a run whose steps run in real time, dt apart; graded: inputs that send payloads."""
    return workload_of(program, result.neuron_counts, result.steps, graded)


def workload_of(
    program: ChipProgram, counts: Mapping[str, NDArray[Any]], steps: int, graded: Collection[str] = ()
) -> Workload:
    """The same from the spikes of every neuron, (batch, *shape) or means (1, *shape), by input and population."""
    synapses = whole_synapses(program)
    weights = sum(stored_weights(c, program) for c in synapses)
    nonzero_weights = sum(int(np.count_nonzero(c.weights)) for c in synapses)
    neurons = sum(p.size for p in program.populations)
    spikes = sum(float(counts[p.name].sum()) / len(counts[p.name]) for p in program.populations)
    payloads = {*graded, *(p.name for p in program.populations if p.GRADED and not p.TERNARY)}
    accumulated, multiplied = (
        sum(_counted(counts[c.source], effective_fan_out(c)) for c in synapses if (c.source in payloads) == multiplies)
        for multiplies in (False, True)
    )
    updates = float(neurons * steps)
    proxy = power_proxy(accumulated + multiplied, updates, steps * program.dt)
    return Workload(
        footprint_bytes=footprint(program),
        connection_sparsity=round(1 - nonzero_weights / weights, 4) if weights else 0.0,
        activation_sparsity=1 - spikes / updates,
        effective_acs=float(accumulated),
        effective_macs=float(multiplied),
        dense_synops=float(sum(int(dense_fan_out(c, program).sum()) for c in synapses) * steps),
        neuron_updates=updates,
        power_proxy=proxy,
        power_delay_product=proxy * program.pipeline_steps * program.dt,
    )


def sends_payloads(values: NDArray[Any]) -> bool:
    """Whether some values are not -1, 0 or 1, NeuroBench's criterion for multiply-accumulates."""
    return bool(values.size) and bool(values.max() > 1 or (values.dtype.kind not in "ub" and values.min() < -1))


def whole_synapses(program: ChipProgram) -> list[Connection]:
    """The network's synapses: split ones (by sign, by digit) are rejoined, with weights of ones and zeros."""
    groups: dict[tuple[str, str, str], list[Connection]] = {}
    for number, connection in enumerate(program.connections):
        name = connection.synapse or f"connection {number}"
        groups.setdefault((connection.source, connection.target, name), []).append(connection)
    return [parts[0] if len(parts) == 1 else _whole(parts, program) for parts in groups.values()]


def _whole(parts: list[Connection], program: ChipProgram) -> Connection:
    first = parts[0]
    if all(type(c) is type(first) and c.weights.shape == first.weights.shape for c in parts) and not isinstance(
        first, SparseConnection
    ):
        nonzero_weights = np.any([c.weights != 0 for c in parts], axis=0)
        return replace(first, weights=nonzero_weights.astype(np.int32))
    matrices = [abs(_matrix(c, program)) for c in parts]
    union = csr_array(sum(matrices[1:], start=matrices[0]) != 0)
    union.sort_indices()
    ones = np.ones(union.nnz, np.int32)
    return SparseConnection(
        *(first.source, first.target, ones, 0, "excitatory", 8, 1),
        indices=union.indices.astype(np.int32),
        indptr=union.indptr.astype(np.int64),
    )


def _matrix(connection: Connection, program: ChipProgram) -> csr_array:
    if isinstance(connection, SparseConnection):
        shape = (program.population(connection.target).size, program.source_size(connection.source))
        return csr_array((connection.weights, connection.indices, connection.indptr), shape=shape)
    return csr_array(connection.weights)


def power_proxy(synops: float, neuron_updates: float, seconds: float) -> float:
    """Operations per second of real time; a neuron update counts as ten synaptic operations."""
    return (synops + UPDATE_WEIGHT * neuron_updates) / seconds


def footprint(program: ChipProgram) -> float:
    """Bytes of the program: weights at their width, two states and six constants per compartment at theirs."""
    widths = program.widths
    constants = widths.du_bits + widths.dv_bits + widths.vth_bits + widths.bias_mant_bits + widths.bias_exp_bits
    neurons = sum(p.size for p in program.populations)
    weights = sum(c.weights.size * c.weight_bits for c in program.connections)
    return (weights + neurons * (2 * widths.state_bits + constants)) / 8


def stored_weights(connection: Connection, program: ChipProgram) -> int:
    """Weights of the connection's matrix or kernel, zeros included."""
    if isinstance(connection, SparseConnection):
        return program.source_size(connection.source) * program.population(connection.target).size
    return int(connection.weights.size)


def dense_fan_out(connection: Connection, program: ChipProgram) -> NDArray[np.int64]:
    """Synapses of each source element, zeros included, (source size,)."""
    if isinstance(connection, ConvConnection):
        shared: NDArray[np.int64] = fan_out(connection)
        return shared
    size, targets = program.source_size(connection.source), program.population(connection.target).size
    return np.full(size, targets, np.int64)


def effective_fan_out(connection: Connection) -> NDArray[np.int64]:
    """Synapses of each source element whose weight is not zero, (source size,)."""
    if isinstance(connection, SparseConnection):
        nonzero = connection.indices[connection.weights != 0]
        size = int(connection.indices.max(initial=-1)) + 1
        counted: NDArray[np.int64] = np.bincount(nonzero, minlength=size).astype(np.int64)
        return counted
    if isinstance(connection, ConvConnection):
        return _effective_conv(connection)
    if isinstance(connection, DenseConnection):
        columns: NDArray[np.int64] = np.count_nonzero(connection.weights, axis=0).astype(np.int64)
        return columns
    raise TypeError(f"{connection.label}: no fan-out is known for a {type(connection).__name__}")


def _effective_conv(connection: ConvConnection) -> NDArray[np.int64]:
    outs, _, rows, columns = connection.weights.shape
    channels, height, width = connection.input_shape
    per_group = channels // connection.groups
    fan_outs = np.zeros(connection.input_shape, np.int64)
    for channel in range(channels):
        group, inner = divmod(channel, per_group)
        members = slice(group * outs // connection.groups, (group + 1) * outs // connection.groups)
        taps = np.count_nonzero(connection.weights[members, inner], axis=0)
        for row in range(rows):
            ys = _reached(connection, 0, row, height)
            for column in range(columns):
                xs = _reached(connection, 1, column, width)
                fan_outs[channel][np.ix_(ys, xs)] += int(taps[row, column])
    return fan_outs.reshape(-1)


def _reached(connection: ConvConnection, axis: int, tap: int, length: int) -> NDArray[np.int64]:
    """Input positions along an axis that a kernel element reaches."""
    outputs = np.arange(connection.output_shape[1 + axis], dtype=np.int64)
    positions = outputs * connection.stride[axis] - connection.padding[axis] + tap * connection.dilation[axis]
    return positions[(positions >= 0) & (positions < length)]


def _counted(counts: NDArray[Any], per_element: NDArray[np.int64]) -> float:
    flat = counts.reshape(len(counts), -1)[:, : len(per_element)]
    return float((flat @ per_element).mean())
