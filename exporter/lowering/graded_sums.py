"""Sums of spike trains, such as SEW's ADD, as graded spikes: layers are added once, not in every synapse.

A synapse that reads the sum of several layers is stored on the chip once for each of them. Here a relay (GradedVec)
reads them through synapses of weight 1 and sends the sum as one payload, so that the synapse is stored once:

    r[t] = sum over layers k of s_k[t - e_k],   sum over k of W s_k[t - d_k] = W r[t - f],   d_k = e_k + f

No layer's spikes change. A relay takes a step, so the layers after it run one step later.
Source: Fang et al., Deep Residual Learning in Spiking Neural Networks, NeurIPS 2021, table 1: a + x is 0, 1 or 2, which
a payload can carry.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import fields, replace
from typing import Any

import numpy as np

from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork
from spikeport.exporter.neurons import GradedVec
from spikeport.exporter.program.chip_program import ChipProgram, Connection, ConvConnection, SparseConnection
from spikeport.exporter.program.validate import validate


def reserve_relay_step(network: FloatNetwork) -> FloatNetwork:
    """The network with at least two steps for connections to be summed: to a relay, and from it."""
    sends = {p.name for p in network.populations if p.sends == "spikes"}
    families: dict[tuple[str, str], list[FloatConnection]] = {}
    for c in network.connections:
        if c.source in sends and c.source != c.target and c.axonal_delays is None and c.synapse:
            families.setdefault((c.target, c.synapse), []).append(c)
    summed = {id(c) for family in families.values() if len({c.source for c in family}) > 1 for c in family}
    return replace(
        network, connections=tuple(replace(c, hops=2) if id(c) in summed else c for c in network.connections)
    )


def insert_relays(program: ChipProgram) -> ChipProgram:
    """The program with a relay in place of the layers that a synapse sums, wherever delays leave time for it."""
    senders = {p.name for p in program.populations if not p.GRADED}
    families: dict[Hashable, list[Connection]] = {}
    for connection in program.connections:
        if _can_be_summed(connection, senders):
            families.setdefault(_same(connection), []).append(connection)
    relays: dict[frozenset[tuple[str, int]], GradedVec] = {}
    links: list[Connection] = []
    replaced: dict[int, Connection | None] = {}
    used = {node.name for node in program.nodes}
    for family in families.values():
        sources = {c.source: c.delay for c in family}
        if len(sources) < 2 or len(sources) < len(family):
            continue
        relay_delay = min(sources.values()) - 1
        relay_inputs = frozenset((source, delay - relay_delay) for source, delay in sources.items())
        if relay_inputs not in relays:
            relays[relay_inputs] = relay = _relay(family[0].target, program.source_shape(family[0].source), used)
            bits = program.widths.weight_bits
            links += [_unit(bits, source, relay, delay - relay_delay) for source, delay in sources.items()]
        replaced |= {id(c): None for c in family}
        replaced[id(family[0])] = replace(family[0], source=relays[relay_inputs].name, delay=relay_delay)
    connections = (replaced.get(id(c), c) for c in program.connections)
    return validate(
        replace(
            program,
            populations=(*program.populations, *relays.values()),
            connections=(*links, *(c for c in connections if c is not None)),
        )
    )


def without_relays(program: ChipProgram, layers: Collection[str]) -> ChipProgram:
    """Remove relays: the same layers, spikes and steps; layers: populations that are not relays."""
    relays = {p.name for p in program.populations if isinstance(p, GradedVec)} - set(layers)
    connections: list[Connection] = []
    for c in program.connections:
        if c.source in relays:
            relay_inputs = program.into(c.source)
            connections += [replace(c, source=part.source, delay=c.delay + part.delay) for part in relay_inputs]
        elif c.target not in relays:
            connections.append(c)
    populations = tuple(p for p in program.populations if p.name not in relays)
    return replace(program, populations=populations, connections=tuple(connections))


def _can_be_summed(connection: Connection, senders: Collection[str]) -> bool:
    """Whether it carries spikes between two layers, with one delay that leaves time for a relay."""
    plain = connection.axonal_delays is None and connection.synaptic_delays is None
    between = connection.source in senders and connection.source != connection.target
    return plain and between and connection.delay > 1


def _same(connection: Connection) -> Hashable:
    """Key of the connections of one synapse from several layers, part by part: everything but source and delay."""
    values = {f.name: getattr(connection, f.name) for f in fields(connection)} | {"source": "", "delay": 0}
    return type(connection), tuple(_hashable(value) for value in values.values())


def _hashable(value: Any) -> Hashable:
    return (value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value


def _relay(target: str, shape: tuple[int, ...], used: set[str]) -> GradedVec:
    names = (f"{target}_sum{number or ''}" for number in range(len(used) + 1))
    name = next(name for name in names if name not in used)
    used.add(name)
    return GradedVec.of(name, shape, vth=0)


def _unit(weight_bits: int, source: str, relay: GradedVec, delay: int) -> Connection:
    """One-to-one synapses of weight 1; widths narrower than the chip's cannot represent 1."""
    shape, size = relay.shape, relay.size
    shared: dict[str, Any] = {
        "source": source,
        "target": relay.name,
        "weight_exp": 0,
        "sign_mode": "excitatory",
        "weight_bits": weight_bits,
        "delay": delay,
        "synapse": relay.name,
    }
    if len(shape) == 3:
        return ConvConnection(
            weights=np.ones((shape[0], 1, 1, 1), np.int32),
            input_shape=(shape[0], shape[1], shape[2]),
            output_shape=(shape[0], shape[1], shape[2]),
            stride=(1, 1),
            padding=(0, 0),
            dilation=(1, 1),
            groups=shape[0],
            **shared,
        )
    return SparseConnection(
        weights=np.ones(size, np.int32), indices=np.arange(size, dtype=np.int32), indptr=np.arange(size + 1), **shared
    )
