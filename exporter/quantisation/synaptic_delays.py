"""Synaptic delays: join connections that differ only in their delay into one, and split it again.

NIR expresses synaptic delays as parallel synapses, each behind a Delay of its own: NAME, NAME_1, NAME_4 for delays of
0, 1 and 4 steps (exporter/from_torch.py). On the chip a spike would then be one message to each. A connection with
synaptic delays takes one message, and its targets receive it at the same steps.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from spikeport.exporter.mapping import index_bits
from spikeport.exporter.program.chip_program import ChipProgram, Connection, DenseConnection, Integers, SparseConnection
from spikeport.hardware_profiles.fixed_point import sign_mode, weight_grid

Matrix = DenseConnection | SparseConnection


def join_delays(program: ChipProgram) -> ChipProgram:
    """Connections NAME, NAME_K, ... from one source to one target, K steps later each, as one with synaptic delays.

    They stay separate unless one exponent and one sign mode can represent all of them exactly.
    """
    # connections by the key of the earliest of their family
    families: dict[tuple[str, str, str, str], list[Matrix]] = {}
    for connection in program.connections:
        first = _first_of(connection, program)
        if first is not None and isinstance(connection, Matrix):
            families.setdefault(_key(first), []).append(connection)
    joined: list[Connection] = []
    done: set[int] = set()
    for connection in program.connections:
        family = families.get(_key(connection), [])
        one = _joined(connection, family, program) if len(family) > 1 else None
        if one is not None:
            done |= {id(part) for part in family}
        joined.append(connection if one is None else one)
    remaining = [c for c in joined if id(c) not in done]
    return replace(program, connections=tuple(remaining))


def split_delays(program: ChipProgram) -> ChipProgram:
    """The program with synaptic delays as parallel connections, NAME and NAME_K, of one delay each."""
    connections = [part for c in program.connections for part in _split(c)]
    return replace(program, connections=tuple(connections))


def _key(connection: Connection) -> tuple[str, str, str, str]:
    return connection.source, connection.target, connection.port, connection.synapse


def _plain(connection: Connection) -> bool:
    late = connection.axonal_delays is not None or connection.synaptic_delays is not None
    return isinstance(connection, Matrix) and not late and bool(np.any(connection.weights))


def _first_of(connection: Connection, program: ChipProgram) -> Connection | None:
    """The connection NAME that NAME_K belongs to, NAME itself for NAME; None without a family."""
    siblings = [c for c in program.into(connection.target) if c.source == connection.source]
    if not _plain(connection) or sum(c.synapse == connection.synapse for c in siblings) > 1:
        return None
    name, _, steps = connection.synapse.rpartition("_")
    for first in siblings:
        late = connection.delay - first.delay
        if first.synapse == name and _plain(first) and steps == str(late) and late > 0:
            return first
    return connection


def _joined(first: Connection, family: list[Matrix], program: ChipProgram) -> Connection | None:
    size = program.source_size(first.target), program.source_size(first.source)
    exponent = max(part.weight_exp for part in family)
    weights, delays = np.zeros(size, np.int32), np.zeros(size, np.int32)
    for part in family:
        dense = _dense(part, size)
        shift = exponent - part.weight_exp
        if np.any(dense % (1 << shift)) or np.any(weights[dense != 0]):
            return None
        weights += dense >> shift
        delays[dense != 0] = part.delay - first.delay
    mode = sign_mode(weights)
    grid = weight_grid(mode, first.weight_bits)
    if np.any(weights % grid.step) or weights.min() < grid.low or weights.max() > grid.high:
        return None
    ends = first.source, first.target
    others: dict[str, Any] = {"port": first.port, "synapse": first.synapse}
    rows = csr_array(weights)
    if rows.nnz * (first.weight_bits + index_bits(size[0])) < weights.size * first.weight_bits:
        return SparseConnection(
            *ends, rows.data.astype(np.int32), exponent, mode, first.weight_bits, first.delay,
            rows.indices.astype(np.int32), rows.indptr.astype(np.int64), synaptic_delays=delays[weights != 0], **others,
        )  # fmt: skip
    return DenseConnection(
        *ends, weights, exponent, mode, first.weight_bits, first.delay, synaptic_delays=delays, **others
    )


def _split(connection: Connection) -> list[Connection]:
    delays = connection.synaptic_delays
    if delays is None:
        return [connection]
    parts: list[Connection] = []
    for steps in np.unique(delays[connection.weights != 0]).tolist():
        name = connection.synapse if steps == 0 else f"{connection.synapse}_{steps}"
        weights: Integers = np.where(delays == steps, connection.weights, 0).astype(np.int32)
        later = connection.delay + steps
        parts.append(replace(connection, weights=weights, synapse=name, delay=later, synaptic_delays=None))
    return parts or [replace(connection, synaptic_delays=None)]


def _dense(connection: Matrix, size: tuple[int, int]) -> Integers:
    if isinstance(connection, DenseConnection):
        return connection.weights
    rows = csr_array((connection.weights, connection.indices, connection.indptr), shape=size)
    dense: Integers = rows.toarray().astype(np.int32)
    return dense
