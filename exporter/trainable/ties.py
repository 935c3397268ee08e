"""How the weights of a compiled connection follow from those of the graph's synapse: one of them times a factor.

A pooling folded into the convolution after it repeats every weight; a gain folded into a matrix scales its rows. The
passes are linear in the weights of one synapse, so lowering it with all weights 1, and again with weights 1, 2, 3, ...,
gives the factors and the positions. Where a connection is anything else (several synapses merged, overlapping windows),
or the network's own numbers disagree, its weights are trained one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spikeport.common.errors import InputError
from spikeport.exporter.float_network.float_network import ConvGeometry, FloatConnection, FloatNetwork, Floats
from spikeport.exporter.nir_graph.graph_checks import SYNAPSES

_WEIGHTED = (*SYNAPSES, nir.Conv1d)
Key = tuple[str, str, str]
Lower = Callable[[nir.NIRGraph], FloatNetwork]


@dataclass(frozen=True)
class Tie:
    """weights = factors * shared.reshape(-1)[positions]; shared: the graph's weights, in their own shape."""

    shared: Floats
    positions: NDArray[np.int64]
    factors: Floats

    @property
    def plain(self) -> bool:
        """Whether the weights are the graph's, unchanged."""
        in_order = self.positions.size == self.shared.size and np.array_equal(
            self.positions.reshape(-1), np.arange(self.positions.size)
        )
        return in_order and bool(np.all(self.factors == 1))


def pooled_by(tie: Tie | None, geometry: ConvGeometry | None) -> int:
    """By how many pixels, in both directions, a pooling was folded into a kernel that repeats its weights; 1 if none.

    The same sums come from adding pixels first and convolving with one weight of each block, for fewer products.
    """
    if tie is None or geometry is None or tie.positions.ndim != 4 or geometry.dilation != (1, 1):
        return 1
    numbers = *tie.positions.shape[2:], *geometry.stride, *geometry.padding
    for size in range(min(geometry.stride), 1, -1):
        if any(n % size for n in numbers):
            continue
        blocks = [a.reshape(*a.shape[:2], a.shape[2] // size, size, -1, size) for a in (tie.positions, tie.factors)]
        if all(np.array_equal(b, np.broadcast_to(b[:, :, :, :1, :, :1], b.shape)) for b in blocks):
            return size
    return 1


def ties_of(graph: nir.NIRGraph, network: FloatNetwork, lower: Lower) -> dict[Key, Tie]:
    """The ties of the connections that have one, by their `key`; lower: lowers a graph with the network's options."""
    names = [name for name, node in graph.nodes.items() if isinstance(node, _WEIGHTED)]
    try:
        ones = _by_key(lower(_with_weights(graph, names, np.ones_like)))
        counted = _by_key(lower(_with_weights(graph, names, _counted)))
    except InputError:
        return {}
    ties: dict[Key, Tie] = {}
    for key, connection in _by_key(network).items():
        if key in ones and key in counted and connection.synapse in names:
            weights = np.asarray(graph.nodes[connection.synapse].weight, np.float64)
            tie = _tie(weights, connection, ones[key], counted[key])
            if tie is not None:
                ties[key] = tie
    return ties


def channels_tie(connection: FloatConnection, shape: tuple[int, ...]) -> Tie | None:
    """The tie of a bias axon whose weights are the same in a channel: a convolution's bias; shape: of its target."""
    if not carries_bias(connection.source) or len(shape) < 2 or isinstance(connection.weights, csr_array):
        return None
    shared = by_channel(connection.weights, shape[0])
    if shared is None:
        return None
    positions = np.arange(shape[0]).repeat(connection.weights.size // shape[0])[:, None]
    return Tie(shared, positions, np.ones(positions.shape))


def by_channel(values: Floats, channels: int) -> Floats | None:
    """One value per channel; None where those of a channel differ."""
    rows = values.reshape(channels, -1)
    return rows[:, 0].copy() if np.all(rows == rows[:, :1]) else None


def carries_bias(source: str) -> bool:
    """Whether a population was added for a bias, by its name (exporter/lowering/bias_axons.py)."""
    return source.rstrip("_").endswith(".bias")


def key(connection: FloatConnection) -> Key:
    """What identifies a connection."""
    return connection.source, connection.target, f"{connection.synapse} {connection.steps}"


def _by_key(network: FloatNetwork) -> dict[Key, FloatConnection]:
    """Connections by key; those that share one are left out."""
    connections = [(key(c), c) for c in network.connections]
    keys = [k for k, _ in connections]
    return {k: c for k, c in connections if keys.count(k) == 1}


def _counted(weights: Floats) -> Floats:
    return np.arange(1, weights.size + 1, dtype=np.float64).reshape(weights.shape)


def _with_weights(graph: nir.NIRGraph, names: list[str], draw: Callable[[Floats], Any]) -> nir.NIRGraph:
    nodes = dict(graph.nodes)
    for name in names:
        weights = np.asarray(graph.nodes[name].weight, np.float64)
        # zeros stay: they decide how a matrix is stored
        nodes[name] = replace(graph.nodes[name], weight=np.where(weights != 0, draw(weights), 0))
    return nir.NIRGraph(nodes=nodes, edges=list(graph.edges), metadata=dict(graph.metadata), type_check=False)


def _tie(weights: Floats, connection: FloatConnection, ones: FloatConnection, counted: FloatConnection) -> Tie | None:
    values = [_stored(c) for c in (connection, ones, counted)]
    if len({v.shape for v in values}) > 1:
        return None
    actual, factors, product = values
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = np.where(factors != 0, product / factors, 1.0) - 1
    if not np.isfinite(exact).all():
        return None
    positions = np.rint(exact).astype(np.int64)
    if (
        not np.array_equal(factors != 0, actual != 0)
        or positions.min(initial=0) < 0
        or positions.max(initial=0) >= weights.size
    ):
        return None
    if not np.allclose(weights.reshape(-1)[positions] * factors, actual, rtol=1e-9, atol=0):
        return None
    if positions.size == weights.size:
        # zeros of the matrix can be trained where every weight has its own place
        positions, factors = _filled(positions, factors, weights)
    return Tie(weights, positions, factors)


def _filled(positions: NDArray[np.int64], factors: Floats, weights: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Positions and factors with those of zero weights, where all others are in order and each row has one factor."""
    order = np.arange(weights.size).reshape(positions.shape)
    known = factors != 0
    if not np.array_equal(positions[known], order[known]):
        return positions, factors
    rows = factors.reshape(len(factors), -1)
    largest = rows[np.arange(len(rows)), np.abs(rows).argmax(axis=1)][:, None]
    if not np.all((rows == largest) | (rows == 0)):
        return positions, factors
    return order, np.broadcast_to(np.where(largest == 0, 1.0, largest), rows.shape).reshape(factors.shape).copy()


def _stored(connection: FloatConnection) -> Floats:
    weights = connection.weights
    return np.asarray(weights.data if isinstance(weights, csr_array) else weights, np.float64)
