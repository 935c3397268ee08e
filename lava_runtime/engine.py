"""Populations and connections with their state, ready to step: what the emulator and the Lava processes are made of.

All work on blocks of time steps. What a population sends in a block reaches others after it, for a connection takes a
step at least; so nothing but what populations send in a circle makes a block shorter than its reader likes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.program import ChipProgram, Connection, Population

from .kernels.active import Active, pack, words_of
from .merge import merged
from .synapses import delivery_parts


class PopulationState:
    """States, pending input and the spikes of a block of steps, of one population for some samples.

    sent: what was sent in each step of the block, (steps, samples, size); message: the same as it travels, packed to
    a bit a neuron, (steps, samples, words), where spikes carry no payloads; active: the same listed, a row a step and
    sample. total: spikes since the start, (samples, size).
    """

    def __init__(self, population: Population, samples: int, steps: int, incoming: Sequence[Connection]) -> None:
        shape, graded = (samples, population.size), population.GRADED
        self.population = population
        self.samples = samples
        self.states = {name: np.zeros(shape, np.int32) for name in population.STATES}
        self.sent: NDArray[Any] = np.zeros((steps, *shape), np.int32 if graded else np.uint8)
        self.message: NDArray[Any] = self.sent
        if not graded:
            self.message = np.zeros((steps, samples, words_of(population.size)), np.uint64)
        self.active = Active.empty(steps * samples, population.size, graded)
        self.total = np.zeros(shape, np.int32)
        # pending[port][t % ring] is the synaptic input that arrives there at step t
        self._longest = longest_delay(incoming)
        self._ring = steps + self._longest
        self.pending = {port: np.zeros((self._ring, *shape), np.int32) for port in population.PORTS}
        self._step = population.stepper()
        self._time = 0
        self._start()

    def _start(self) -> None:
        for values in self.states.values():
            values[:] = 0
        for name, start in self.population.start().items():
            self.states[name][:] = start

    def reset(self) -> None:
        """Begin with other samples."""
        self._start()
        self.total[:] = 0
        # what arrived before has been taken
        for begin, end, slot in self._stretches(self._time, self._longest):
            for pending in self.pending.values():
                pending[slot : slot + end - begin] = 0
        self._time = 0

    def update(self, step: int, first: int, last: int) -> None:
        """Advance every compartment from place `first` of the block to place last - 1; step: the time at `first`."""
        for begin, end, slot in self._stretches(step, last - first):
            arriving = tuple(pending[slot : slot + end - begin] for pending in self.pending.values())
            self._step(step + begin, self.states, arriving, self.sent[first + begin : first + end])
        self._time = step + last - first
        rows = self.rows(first, last)
        sent = self.sent[first:last].reshape(-1, self.population.size)
        if self.population.GRADED:
            rows.read_payloads(sent)
        else:
            words = self.message[first:last].reshape(len(sent), -1)
            pack(sent, words)
            rows.read_words(words)
        rows.count_into(self.total)

    def rows(self, first: int, last: int) -> Active:
        """What was sent in these places of the block."""
        return self.active.part(first * self.samples, last * self.samples)

    def arrivals(self, port: str, step: int, steps: int) -> Iterator[tuple[int, int, NDArray[np.int32]]]:
        """Where what arrives from `step` on is added up: (first row, last row, (rows, size)) of one piece or more."""
        for begin, end, slot in self._stretches(step, steps):
            place = self.pending[port][slot : slot + end - begin].reshape(-1, self.population.size)
            yield begin * self.samples, end * self.samples, place

    def _stretches(self, step: int, steps: int) -> Iterator[tuple[int, int, int]]:
        """Steps that lie side by side in the ring: (first, last, slot), counted from `step`."""
        begin = 0
        while begin < steps:
            slot = (step + begin) % self._ring
            end = min(steps, begin + self._ring - slot)
            yield begin, end, slot
            begin = end


class Synapses:
    """One connection's weights, laid out for the kernels, a part for every delay."""

    def __init__(self, connection: Connection, source_size: int, graded: bool) -> None:
        self.connection = connection
        self._parts = delivery_parts(connection, source_size, graded)

    def deliver(self, active: Active, target: PopulationState, step: int) -> None:
        """Add what was sent from `step` on to where it arrives, `delay` steps on; active: a row a step and sample."""
        steps = active.rows // target.samples
        for part in self._parts:
            for first, last, place in target.arrivals(self.connection.port, step + part.delay, steps):
                part.deliver(active.part(first, last), place)


def synapses_of(program: ChipProgram, connections: Iterable[Connection], graded: set[str]) -> list[Synapses]:
    """What delivers these connections; graded: the sources that send payloads."""
    return [Synapses(c, program.source_size(c.source), c.source in graded) for c in merged(connections, graded)]


def longest_delay(connections: Sequence[Connection]) -> int:
    """Steps from a spike to its latest arrival, 1 where nothing leads anywhere."""
    return max((c.longest_delay for c in connections), default=1)
