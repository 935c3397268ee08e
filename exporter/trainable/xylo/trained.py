"""The network that a module in a Xylo chip's integers was trained to, in the network's own units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork, FloatPopulation, Floats
from spikeport.exporter.xylo.layout import Layout
from spikeport.exporter.xylo.registers import registers_of
from spikeport.exporter.xylo.rounded_network import RoundedNetwork
from spikeport.exporter.xylo.rounding import Words, own_reset
from spikeport.exporter.xylo.specification import ENDS

Matrices = Mapping[str, Floats]
"""The chip's matrices by name, (targets, sources), without what resets direct neurons; or biases by kind, (size,)."""


def trained_network(network: FloatNetwork, rounded: RoundedNetwork, words: Words) -> FloatNetwork:
    """The network with the weights and biases that the integers stand for, and what compiles it to them."""
    matrices = {name: _rounded_matrix(rounded, name) for name in ENDS}
    biases = {kind: _rounded_bias(rounded, kind) for kind in rounded.rounded}
    kinds = {p.name: kind for kind in rounded.rounded for p in getattr(rounded.layout, kind)}
    trained = with_values(network, rounded.layout, matrices, biases)
    populations = tuple(
        replace(now, registers=registers_of(rounded, kinds[p.name], p, words))
        for now, p in zip(trained.populations, network.populations, strict=True)
    )
    return replace(trained, populations=populations)


def with_values(network: FloatNetwork, layout: Layout, matrices: Matrices, biases: Matrices) -> FloatNetwork:
    """The network with other weights and biases, in its own units."""
    places = {p.name: (kind, layout.places[kind][p.name]) for kind in biases for p in getattr(layout, kind)}
    populations: list[FloatPopulation] = []
    for population in network.populations:
        kind, own = places[population.name]
        populations.append(replace(population, bias=biases[kind][own]))
    seen: set[tuple[str, str]] = set()
    connections = tuple(_connection(c, layout, matrices, seen) for c in network.connections)
    return replace(network, populations=tuple(populations), connections=connections)


def _rounded_matrix(rounded: RoundedNetwork, name: str) -> Floats:
    kind = "outputs" if name == "out" else "hidden"
    before, block = rounded.floats[kind], rounded.rounded[kind]
    whole = block.weights[name].astype(np.float64)
    if name == "rec":
        whole -= np.diag(own_reset(before, block))
    unit = 2.0 ** block.shifts[name] / (block.scale * before.decays.weight_gain)
    matrix: Floats = whole * unit[:, None]
    return matrix


def _rounded_bias(rounded: RoundedNetwork, kind: str) -> Floats:
    before, block = rounded.floats[kind], rounded.rounded[kind]
    bias: Floats = block.bias / (block.scale * before.decays.bias_gain)
    return bias


def _connection(
    connection: FloatConnection, layout: Layout, matrices: Matrices, seen: set[tuple[str, str]]
) -> FloatConnection:
    """The connection with its weights; the first between two nodes has those of all of them."""
    ends = connection.source, connection.target
    places = layout.places
    name = next(n for n, (s, t) in ENDS.items() if ends[0] in places[s] and ends[1] in places[t])
    source, target = (places[end][node] for end, node in zip(ENDS[name], ends, strict=True))
    weights = matrices[name][target, source] * (ends not in seen)
    seen.add(ends)
    return replace(connection, weights=weights, geometry=None)
