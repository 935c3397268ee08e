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

from spikeport.common.errors import DoesNotFitError, InputError
from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork, FloatPopulation, Floats
from spikeport.exporter.float_network.synaptic_input import conv_matrix
from spikeport.exporter.program.chip_program import InputPort
from spikeport.hardware_profiles.schema import ChipProfile

from .limits import broken_sizes
from .specification import ENDS, NAMES, Places, places_of


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


def layout_of(network: FloatNetwork, chip: ChipProfile) -> Layout:
    """The layout of a network; raises InputError for what the chip does not have, DoesNotFitError for its limits."""
    inputs = {port.name for port in network.inputs}
    senders = {c.source for c in network.connections}
    driven = {c.target for c in network.connections if c.source in inputs}
    read_out = {name for name in network.outputs if name not in senders | driven}
    hidden = tuple(p for p in network.populations if p.name not in read_out)
    outputs = tuple(p for p in network.populations if p.name in read_out)
    layout = Layout(network.inputs, hidden, outputs)
    for population in network.populations:
        _check_population(population)
    _check_payloads(network, chip)
    for broken in broken_sizes(layout.size("inputs"), layout.size("hidden"), layout.size("outputs"), chip):
        raise DoesNotFitError(broken)
    _check_delays(network)
    return layout


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


def _check_population(population: FloatPopulation) -> None:
    name = population.name
    if population.sends == "voltage":
        raise InputError(
            f"{name!r} sends its voltage, but a Xylo chip's neurons send events; give it a threshold (LIF or CubaLIF "
            "in place of LI or CubaLI)"
        )
    if np.any(population.v_initial != 0):
        raise InputError(f"{name!r} starts at a voltage other than 0, but a Xylo chip's do not; leave it out")


def _check_payloads(network: FloatNetwork, chip: ChipProfile) -> None:
    most = int(chip.rules["events_per_input"])
    for name, largest in network.payloads.items():
        if largest > most:
            raise InputError(
                f"input {name!r} takes integers up to {largest}, but {chip.title} takes at most {most} events per "
                "channel and step; scale the input or encode it as spikes"
            )


def _check_delays(network: FloatNetwork) -> None:
    inputs = {port.name for port in network.inputs}
    # what a neuron without input sends does not depend on the step in which the input enters
    timed = inputs | {c.target for c in network.connections}
    for c in network.connections:
        if c.source in timed and c.longest_delay != 1:
            own = NAMES["in" if c.source in inputs else "rec"]
            raise InputError(
                f"{c.source!r} -> {c.target!r} arrives {c.longest_delay - 1} steps late, but a Xylo chip has no delays "
                f"on its {own} weights; remove the Delay, or give branches that join equally many layers"
            )
