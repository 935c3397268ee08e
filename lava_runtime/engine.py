"""Populations and connections with their state, ready to step: what the emulator and the Lava processes are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.program import Connection, ConvConnection, Population

from . import kernels

Integers = NDArray[np.int32]


@dataclass
class Active:
    """Which elements are active in this step, a sample: indices, payloads and how many."""

    index: Integers
    payload: Integers
    count: Integers

    @classmethod
    def empty(cls, batch: int, size: int) -> Active:
        """No element active."""
        shape = (batch, size)
        return cls(np.zeros(shape, np.int32), np.ones(shape, np.int32), np.zeros(batch, np.int32))


class PopulationState:
    """u, v and the spikes of one population for a batch of samples."""

    def __init__(self, population: Population, batch: int, ring: int) -> None:
        shape = (batch, population.size)
        self.population = population
        self.u = np.zeros(shape, np.int32)
        self.v = np.zeros(shape, np.int32)
        self.v[:] = population.v_initial
        self.spikes = np.zeros(shape, np.uint8)
        self.total = np.zeros(shape, np.int32)
        self.active = Active.empty(batch, population.size)
        # pending[t % ring] is the synaptic input that arrives at step t
        self.pending = np.zeros((ring, *shape), np.int32)
        self._keep_u = kernels.keep_fraction(population.du + 1)
        self._keep_v = kernels.keep_fraction(population.dv)
        self._bias = population.bias
        self._threshold = (population.vth << 6).astype(np.int32)

    def update(self, step: int) -> None:
        """Advance every compartment by one step."""
        arriving = self.pending[step % len(self.pending)]
        kernels.update(
            self.u, self.v, arriving, self._keep_u, self._keep_v, self._bias, self._threshold,
            self.spikes, self.active.index, self.active.count, self.total,
        )  # fmt: skip


class Synapses:
    """One connection's weights, laid out for the kernels."""

    def __init__(self, connection: Connection, graded: bool) -> None:
        self.connection = connection
        self._graded = graded
        if isinstance(connection, ConvConnection):
            self._weights: NDArray[Any] = _by_input_channel(connection)
        else:
            self._weights = np.ascontiguousarray(connection.weights.T.astype(np.int16))

    def deliver(self, active: Active, pending: NDArray[np.int32], step: int) -> None:
        """Add what the active sources of this step send to where it arrives, `delay` steps on."""
        target = pending[(step + self.connection.delay) % len(pending)]
        exponent = self.connection.weight_exp
        if isinstance(self.connection, ConvConnection):
            c = self.connection
            kernels.conv(
                self._weights, exponent, c.input_shape, c.output_shape, c.stride, c.padding, c.dilation, c.groups,
                active.index, active.count, active.payload, target,
            )  # fmt: skip
        elif self._graded:
            kernels.dense_payload(self._weights, exponent, active.index, active.count, active.payload, target)
        else:
            kernels.dense(self._weights, exponent, active.index, active.count, target)


def ring_size(connections: tuple[Connection, ...]) -> int:
    """Slots a population's pending input needs: the longest delay that leads to it and the present step."""
    return 1 + max((c.delay for c in connections), default=1)


def _by_input_channel(connection: ConvConnection) -> NDArray[np.int32]:
    """(out, in / groups, h, w) -> (in, h, w, out / groups): for each input channel the kernels of its own group."""
    out, per_group, height, width = connection.weights.shape
    groups = connection.groups
    grouped = connection.weights.reshape(groups, out // groups, per_group, height, width)
    return np.ascontiguousarray(grouped.transpose(0, 2, 3, 4, 1)).reshape(
        groups * per_group, height, width, out // groups
    )
