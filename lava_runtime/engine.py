"""Populations and connections with their state, ready to step: what the emulator and the Lava processes are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.program import Connection, Population

from .kernels.active import Active
from .synapses import delivery_parts


class PopulationState:
    """States, pending input and spikes of one population for a batch of samples.

    sent: what was sent in the last step, (batch, size); message: the same as it travels, packed to a bit a neuron where
    spikes carry no payloads.
    """

    def __init__(self, population: Population, batch: int, incoming: Sequence[Connection]) -> None:
        shape = (batch, population.size)
        self.population = population
        start = population.start()
        self.states = {name: np.zeros(shape, np.int32) for name in population.STATES}
        for name, values in start.items():
            self.states[name][:] = values
        self.sent: NDArray[Any] = np.zeros(shape, np.int32 if population.GRADED else np.uint8)
        self.message: NDArray[Any] = self.sent
        self.total = np.zeros(shape, np.int32)
        self.active = Active.empty(batch, population.size)
        # pending[port][t % ring] is the synaptic input that arrives there at step t
        ring = ring_size(incoming)
        self.pending = {port: np.zeros((ring, *shape), np.int32) for port in population.PORTS}
        self._step = population.stepper()

    def update(self, step: int) -> None:
        """Advance every compartment by one step."""
        arriving = tuple(pending[step % len(pending)] for pending in self.pending.values())
        self._step(step, self.states, arriving, self.sent)
        if self.population.GRADED:
            self.active.read_payloads(self.sent)
        else:
            self.message = np.packbits(self.sent, axis=1)
            self.active.read_bits(self.message)
        self.active.count_into(self.total)


class Synapses:
    """One connection's weights, laid out for the kernels, a part for every delay."""

    def __init__(self, connection: Connection, source_size: int, graded: bool) -> None:
        self.connection = connection
        self._parts = delivery_parts(connection, source_size, graded)

    def deliver(self, active: Active, target: PopulationState, step: int) -> None:
        """Add what the active sources of this step send to where it arrives, `delay` steps on."""
        pending = target.pending[self.connection.port]
        for part in self._parts:
            part.deliver(active, pending[(step + part.delay) % len(pending)])


def ring_size(connections: Sequence[Connection]) -> int:
    """Slots a population's pending input needs: the longest delay that leads to it and the present step."""
    return 1 + max((c.longest_delay for c in connections), default=1)
