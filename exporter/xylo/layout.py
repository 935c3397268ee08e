"""Where a float network's populations lie on a Xylo chip: in its hidden block or in its readout.

A population is read out by output neurons if it only listens to hidden neurons and nothing listens to it. All others
are hidden neurons, layers behind each other as well: they reach each other through the recurrent matrix, one step per
layer, which is the step that a layer takes elsewhere. Outputs among them are read from the hidden neurons.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork, FloatPopulation, Floats
from spikeport.exporter.float_network.synaptic_input import conv_matrix
from spikeport.exporter.program.chip_program import InputPort

from .specification import ENDS, Places, places_of


@dataclass(frozen=True)
class Layout:
    """Populations in the order of the chip's neurons, and where each lies among its kind."""

    inputs: tuple[InputPort, ...]
    hidden: tuple[FloatPopulation, ...]
    outputs: tuple[FloatPopulation, ...]

    @property
    def places(self) -> dict[str, Places]:
        """Kind of node (inputs, hidden, outputs) -> name -> its neurons among those of its kind."""
        return {"inputs": places_of(self.inputs), "hidden": places_of(self.hidden), "outputs": places_of(self.outputs)}

    def size(self, kind: str) -> int:
        """Neurons (or channels) of a kind."""
        return sum(node.size for node in getattr(self, kind))


def layout_of(network: FloatNetwork) -> Layout:
    """The layout of a network, whether or not it fits (before_rounding.py)."""
    inputs = {port.name for port in network.inputs}
    senders = {c.source for c in network.connections}
    driven = {c.target for c in network.connections if c.source in inputs}
    read_out = {name for name in network.outputs if name not in senders | driven}
    hidden = tuple(p for p in network.populations if p.name not in read_out)
    outputs = tuple(p for p in network.populations if p.name in read_out)
    return Layout(network.inputs, hidden, outputs)


def float_weights(network: FloatNetwork, layout: Layout, kind: str) -> Floats:
    """One of the chip's matrices (targets, sources) in floating point; kind: in, rec or out."""
    sources, targets = (layout.places[end] for end in ENDS[kind])
    matrix = np.zeros([layout.size(end) for end in ENDS[kind][::-1]])
    for connection in network.connections:
        if connection.source in sources and connection.target in targets:
            matrix[targets[connection.target], sources[connection.source]] += _dense(connection)
    return matrix


def _dense(connection: FloatConnection) -> Floats:
    weights = connection.weights
    if connection.geometry is not None:
        weights = conv_matrix(connection.geometry, connection.weights)
    dense: Floats = weights.toarray() if isinstance(weights, csr_array) else weights
    return dense


def joined(populations: Iterable[FloatPopulation], name: str) -> NDArray[np.float64]:
    """A constant of all populations."""
    parts = [np.asarray(getattr(p, name), np.float64) for p in populations]
    return np.concatenate(parts) if parts else np.zeros(0)
