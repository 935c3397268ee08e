"""The network that a module in a Xylo chip's integers was trained to: its integers in the network's own units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spikeport.exporter.float_network.float_network import (
    FloatConnection,
    FloatNetwork,
    FloatPopulation,
    Floats,
)
from spikeport.exporter.xylo.registers import registers_of
from spikeport.exporter.xylo.rounded_network import RoundedNetwork
from spikeport.exporter.xylo.rounding import Words, own_reset
from spikeport.exporter.xylo.specification import ENDS


def trained_network(network: FloatNetwork, rounded: RoundedNetwork, words: Words) -> FloatNetwork:
    """The network with the weights and biases that the integers stand for, and what compiles it to them."""
    kinds = {p.name: kind for kind in ("hidden", "outputs") for p in getattr(rounded.layout, kind)}
    matrices = {name: _matrix(rounded, name) for name in ENDS}
    populations = tuple(_population(p, rounded, kinds[p.name], words) for p in network.populations)
    seen: set[tuple[str, str]] = set()
    connections = tuple(_connection(c, rounded, matrices, seen) for c in network.connections)
    return replace(network, populations=populations, connections=connections)


def _matrix(rounded: RoundedNetwork, name: str) -> Floats:
    """One of the chip's matrices (targets, sources) in the network's units, without what resets direct neurons."""
    kind = "outputs" if name == "out" else "hidden"
    before, block = rounded.floats[kind], rounded.rounded[kind]
    whole = block.weights[name].astype(np.float64)
    if name == "rec":
        whole -= np.diag(own_reset(before, block))
    unit = 2.0 ** block.shifts[name] / (block.scale * before.decays.weight_gain)
    matrix: Floats = whole * unit[:, None]
    return matrix


def _population(population: FloatPopulation, rounded: RoundedNetwork, kind: str, words: Words) -> FloatPopulation:
    own = rounded.layout.places[kind][population.name]
    before, block = rounded.floats[kind], rounded.rounded[kind]
    bias = block.bias[own] / (block.scale[own] * before.decays.bias_gain[own])
    return replace(population, bias=bias, registers=registers_of(rounded, kind, population, words))


def _connection(
    connection: FloatConnection, rounded: RoundedNetwork, matrices: dict[str, Floats], seen: set[tuple[str, str]]
) -> FloatConnection:
    """The connection with its trained weights; the first between two nodes has those of all of them."""
    ends = connection.source, connection.target
    places = rounded.layout.places
    name = next(n for n, (s, t) in ENDS.items() if ends[0] in places[s] and ends[1] in places[t])
    source, target = (places[end][node] for end, node in zip(ENDS[name], ends, strict=True))
    weights = matrices[name][target, source] * (ends not in seen)
    seen.add(ends)
    return replace(connection, weights=weights, geometry=None)
