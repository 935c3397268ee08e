"""Biases that no register holds: on the chip, weights from neurons that fire in every step.

A bias register has 8 bit, a threshold 15: a bias of more than some hundredths of the threshold would keep the threshold
low. And neurons without a synaptic current use their synapse as membrane (decays.py), to which only a weight can add.
A constantly firing neuron, as in exporter/lowering/bias_axons.py, adds the same charge per step:

    bias = current_decay * bias summed over the steps that the current keeps it

so it acts in full once the current has settled. It reaches as many neurons as its fan-out allows; several carry a bias
that is larger than the neuron's weights, which would else be rounded by its size.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork, FloatPopulation, Floats
from spikeport.exporter.lowering.bias_axons import bias_axon

# of a threshold: what a register of 8 bit holds beside a threshold of 12 bit
_LARGE = 1 / 32
_MOST_COPIES = 4


def with_bias_neurons(network: FloatNetwork, fan_out: int) -> FloatNetwork:
    """The network with large biases, and those of neurons without a synaptic current, as weights."""
    used = {p.name for p in network.populations} | {port.name for port in network.inputs}
    populations: list[FloatPopulation] = []
    connections = list(network.connections)
    for population in network.populations:
        incoming = [c for c in network.connections if c.target == population.name]
        replaced = _replaced(population, network) if incoming else np.zeros(population.size, bool)
        charge = np.where(replaced, population.bias * population.current_decay, 0)
        for bias in _parts(charge, fan_out, _largest_weight(incoming)):
            axon, connection = bias_axon(population.name, bias, used)
            used.add(axon.name)
            populations.append(replace(axon, start=0))
            connections.append(connection)
        populations.append(replace(population, bias=np.where(replaced, 0, population.bias)))
    return replace(network, populations=tuple(populations), connections=tuple(connections))


def _replaced(population: FloatPopulation, network: FloatNetwork) -> NDArray[np.bool_]:
    """The neurons whose bias becomes a weight."""
    large = np.abs(population.bias) > _LARGE * population.threshold
    replaced: NDArray[np.bool_] = np.full(population.size, large.any()) & (population.bias != 0)
    inputs = {port.name for port in network.inputs}
    hidden = any(
        c.source == population.name or (c.target == population.name and c.source in inputs) for c in network.connections
    )
    if hidden or population.name not in network.outputs:
        replaced |= (population.current_decay == 1) & (population.bias != 0)
    return replaced


def _parts(charge: Floats, fan_out: int, largest_weight: float) -> list[Floats]:
    """The charge of each constantly firing neuron, (size,); together they have all of it."""
    neurons = np.flatnonzero(charge)
    copies = min(_MOST_COPIES, max(1, math.ceil(np.abs(charge).max(initial=0) / max(largest_weight, 1e-30))))
    parts = []
    for first in range(0, len(neurons), fan_out):
        own = np.zeros(len(charge))
        own[neurons[first : first + fan_out]] = charge[neurons[first : first + fan_out]] / copies
        parts += [own] * copies
    return parts


def _largest_weight(connections: list[FloatConnection]) -> float:
    values = (c.weights.data if isinstance(c.weights, csr_array) else c.weights for c in connections)
    return max((float(np.abs(v).max(initial=0)) for v in values), default=0.0)
