"""Populations and connections with their state, ready to step: what the emulator and the Lava processes are made of.

All work on blocks of time steps. What a population sends in a block reaches others after it, for a connection takes a
step at least; so nothing but what populations send in a circle makes a block shorter than its reader likes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.neurons.base import unpacked
from spikeport.exporter.program.chip_program import ChipProgram, Connection, Population
from spikeport.lava_runtime.kernels.spike_events import SpikeEvents, pack, words_of
from spikeport.lava_runtime.kernels.tiles import Tiles, tile_stepper
from spikeport.lava_runtime.result import Recording

from .fuse_connections import merged
from .synapses import delivery_parts


@dataclass(frozen=True)
class _DeferredInput:
    """What arrives in steps first to last - 1; active: a row a step and sample."""

    tiles: Tiles
    active: SpikeEvents
    first: int
    last: int


class PopulationState:
    """States, pending input and the spikes of a block of steps, of one population for some samples.

    message: what was sent in each step of the block as it travels: payloads, (steps, samples, size), or where spikes
    carry none a bit a neuron, (steps, samples, words); active: the same listed, a row a step and sample. total: spikes
    since the start, (samples, size).
    """

    def __init__(self, population: Population, samples: int, steps: int, incoming: Sequence[Connection]) -> None:
        shape, graded = (samples, population.size), population.GRADED
        self.population = population
        self.samples = samples
        self.states = {name: np.empty(shape, np.int32) for name in population.STATES}
        self.message: NDArray[Any] = (
            np.zeros((steps, *shape), np.int32)
            if graded
            else np.zeros((steps, samples, words_of(population.size)), np.uint64)
        )
        self.active = SpikeEvents.empty(steps * samples, population.size, graded)
        self.total = np.zeros(shape, np.int32)
        # pending[port][t % ring] is the synaptic input that arrives there at step t
        self._ring = steps + longest_delay(incoming)
        self.pending = {port: np.empty((self._ring, *shape), np.int32) for port in population.PORTS}
        # of each place in the ring: whether it holds numbers at all (memory is touched where it is used only), and
        # whether something was added since it was last taken
        self._ready, self._filled = [False] * self._ring, [False] * self._ring
        self._tile_step = tile_stepper(population)
        self._lent: _DeferredInput | None = None
        self._spike_step = population.spike_stepper()
        self._step = population.stepper()
        # spikes of a kernel that does not pack them itself
        self._bytes: NDArray[np.uint8] | None = None
        if self._spike_step is None and not graded:
            self._bytes = np.zeros((steps, *shape), np.uint8)
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
        # what is left there is set to 0 when it is used
        self._ready = [r and not f for r, f in zip(self._ready, self._filled, strict=True)]
        self._filled = [False] * self._ring
        self._lent = None

    def update(self, step: int, first: int, last: int) -> None:
        """Advance every compartment from place `first` of the block to place last - 1; step: the time at `first`."""
        place = first
        while place < last:
            now = step + place - first
            slot, length = now % self._ring, self._alike(now, last - place)
            message, lent = self.message[place : place + length], self._lent_rows(now, length)
            arriving = tuple(pending[slot : slot + length] for pending in self.pending.values())
            if lent is not None and self._tile_step is not None and not self._filled[slot]:
                self._tile_step(lent[0], lent[1], self.states, message, self.total)
            else:
                self._make_ready(slot, slot + length)
                if lent is not None:
                    lent[0].deliver(lent[1], arriving[0].reshape(-1, self.population.size))
                self._advance(now, place, message, arriving)
            self._filled[slot : slot + length] = [False] * length
            place += length
        rows, flat = self.rows(first, last), self.message[first:last].reshape(-1, self.message.shape[2])
        if self.population.GRADED:
            rows.read_payloads(flat)
        else:
            rows.read_words(flat)
        if self._spike_step is None:
            rows.count_into(self.total)

    def _advance(self, now: int, place: int, message: NDArray[Any], arriving: tuple[NDArray[np.int32], ...]) -> None:
        if self._spike_step is not None:
            self._spike_step(now, self.states, arriving, message, self.total)
        elif self._bytes is None:
            self._step(now, self.states, arriving, message)
        else:
            sent = self._bytes[place : place + len(message)]
            self._step(now, self.states, arriving, sent)
            pack(sent.reshape(-1, self.population.size), message.reshape(-1, message.shape[2]))

    def _make_ready(self, first: int, last: int) -> None:
        """Put zeros into places of the ring that hold no numbers yet."""
        for slot in range(first, last):
            if not self._ready[slot]:
                for pending in self.pending.values():
                    pending[slot] = 0
                self._ready[slot] = True

    def _alike(self, now: int, most: int) -> int:
        """How many steps from `now` on, side by side in the ring, are alike in what is filled and what is lent."""
        slot = now % self._ring
        most = min(most, self._ring - slot)
        if self._lent is not None:
            for edge in (self._lent.first, self._lent.last):
                if now < edge:
                    most = min(most, edge - now)
        filled = self._filled[slot]
        for length in range(1, most):
            if self._filled[slot + length] != filled:
                return length
        return most

    def defer_input(self, tiles: Tiles, active: SpikeEvents, first: int) -> int:
        """Take in what arrives from step `first` on only when these steps are updated, if that is faster.

        active: a row a step and sample, unchanged until then. How many steps are taken in thus, 0 or all.
        """
        steps = active.rows // self.samples
        if self._tile_step is None or steps == 0 or (self._lent is not None and self._lent.last > first):
            return 0
        self._lent = _DeferredInput(tiles, active, first, first + steps)
        return steps

    def _lent_rows(self, now: int, length: int) -> tuple[Tiles, SpikeEvents] | None:
        lent = self._lent
        if lent is None or not lent.first <= now < lent.last:
            return None
        begin = (now - lent.first) * self.samples
        return lent.tiles, lent.active.part(begin, begin + length * self.samples)

    def record(self, kept: Recording, step: int, first: int, last: int) -> None:
        """Keep what is kept of these places of the block, a single one where states are; step: the time at `first`."""
        sent = None
        if kept.s is not None:
            message = self.message[first:last]
            sent = message if self.population.GRADED else unpacked(message, self.population.size)
        kept.take(slice(step, step + last - first), sent, self.states)

    def rows(self, first: int, last: int) -> SpikeEvents:
        """What was sent in these places of the block."""
        return self.active.part(first * self.samples, last * self.samples)

    def arrivals(self, port: str, step: int, steps: int) -> Iterator[tuple[int, int, NDArray[np.int32]]]:
        """Where what arrives from `step` on is added up: (first row, last row, (rows, size)) of one piece or more."""
        for begin, end, slot in self._stretches(step, steps):
            place = self.pending[port][slot : slot + end - begin].reshape(-1, self.population.size)
            self._make_ready(slot, slot + end - begin)
            self._filled[slot : slot + end - begin] = [True] * (end - begin)
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

    def deliver(self, active: SpikeEvents, target: PopulationState, step: int) -> None:
        """Add what was sent from `step` on to where it arrives, `delay` steps on; active: a row a step and sample."""
        steps = active.rows // target.samples
        for part in self._parts:
            lent = 0
            if part.tiles is not None and steps > part.delay:
                # what arrives after this block of steps has its place to wait
                rows = active.part(0, (steps - part.delay) * target.samples)
                lent = target.defer_input(part.tiles, rows, step + part.delay)
            rest = active.part(lent * target.samples, active.rows)
            for first, last, place in target.arrivals(self.connection.port, step + part.delay + lent, steps - lent):
                part.deliver(rest.part(first, last), place)


def synapses_of(program: ChipProgram, connections: Iterable[Connection], graded: set[str]) -> list[Synapses]:
    """What delivers these connections; graded: the sources that send payloads."""
    return [Synapses(c, program.source_size(c.source), c.source in graded) for c in merged(connections, graded)]


def longest_delay(connections: Sequence[Connection]) -> int:
    """Steps from a spike to its latest arrival, 1 where nothing leads anywhere."""
    return max((c.longest_delay for c in connections), default=1)
