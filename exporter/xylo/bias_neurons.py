"""Biases of neurons without a synaptic current: on the chip, weights from neurons that fire in every step.

Such neurons use their synapse as membrane (decays.py), to which only a weight can add. A constantly firing neuron, as
in exporter/lowering/bias_axons.py, reaches as many of them as its fan-out allows.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork, FloatPopulation
from spikeport.exporter.lowering.bias_axons import bias_axon


def with_bias_neurons(network: FloatNetwork, fan_out: int) -> FloatNetwork:
    """The network with the biases of hidden neurons without synaptic current as weights."""
    driven = {c.target for c in network.connections}
    senders = {c.source for c in network.connections} | {port.name for port in network.inputs}
    inputs = {port.name for port in network.inputs}
    from_inputs = {c.target for c in network.connections if c.source in inputs}
    used = {p.name for p in network.populations} | senders
    populations: list[FloatPopulation] = []
    connections: list[FloatConnection] = list(network.connections)
    starts = network.starts
    for population in network.populations:
        hidden = population.name not in network.outputs or population.name in senders | from_inputs
        biased = (population.current_decay == 1) & (population.bias != 0)
        if hidden and population.name in driven and biased.any():
            neurons = np.flatnonzero(biased)
            for first in range(0, len(neurons), fan_out):
                bias = np.zeros(population.size)
                own = neurons[first : first + fan_out]
                bias[own] = population.bias[own]
                axon, connection = bias_axon(population.name, bias, used)
                used.add(axon.name)
                populations.append(replace(axon, start=0))
                connections.append(replace(connection, delay=max(starts[population.name], 1)))
            population = replace(population, bias=np.where(biased, 0, population.bias))
        populations.append(population)
    return replace(network, populations=tuple(populations), connections=tuple(connections))
