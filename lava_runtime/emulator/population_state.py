"""Populations and connections with their state, the building blocks of the emulator and of the Lava processes.

All work on blocks of time steps. A connection takes at least one step, so only recurrent loops between populations
force shorter blocks.
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

from .fuse_connections import fuse_connections
from .synapses import delivery_parts


@dataclass(frozen=True)
class _DeferredInput:
    """Input that arrives in steps start to stop - 1; active: one row per step and sample."""

    tiles: Tiles
    active: SpikeEvents
    start: int
    stop: int


class PopulationState:
    """States, pending input and the spikes of a block of steps, of one population for some samples.

    message: what was sent in each step of the block: payloads, (steps, samples, size), or for spikes without payload
    one bit per neuron, (steps, samples, words); active: the same as lists, one row per step and sample. total: spikes
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
        # per slot of the ring: whether it is initialised (memory is touched on use only), and whether it holds
        # unused input
        self._ready, self._filled = [False] * self._ring, [False] * self._ring
        self._tile_step = tile_stepper(population)
        self._deferred: _DeferredInput | None = None
        self._spike_step = population.spike_stepper()
        self._step = population.stepper()
        # spikes of a kernel that does not pack its own
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
        """Start over with other samples."""
        self._start()
        self.total[:] = 0
        # remaining input is set to 0 on use
        self._ready = [r and not f for r, f in zip(self._ready, self._filled, strict=True)]
        self._filled = [False] * self._ring
        self._deferred = None

    def update(self, step: int, start: int, stop: int) -> None:
        """Advance all compartments from step `start` to stop - 1 of the block; step: the time at `start`."""
        position = start
        while position < stop:
            now = step + position - start
            slot, length = now % self._ring, self._uniform_steps(now, stop - position)
            message, deferred_input = self.message[position : position + length], self._deferred_rows(now, length)
            arriving = tuple(pending[slot : slot + length] for pending in self.pending.values())
            if deferred_input is not None and self._tile_step is not None and not self._filled[slot]:
                self._tile_step(deferred_input[0], deferred_input[1], self.states, message, self.total)
            else:
                self._make_ready(slot, slot + length)
                if deferred_input is not None:
                    deferred_input[0].deliver(deferred_input[1], arriving[0].reshape(-1, self.population.size))
                self._advance(now, position, message, arriving)
            self._filled[slot : slot + length] = [False] * length
            position += length
        rows, flat = self.rows(start, stop), self.message[start:stop].reshape(-1, self.message.shape[2])
        if self.population.GRADED:
            rows.read_payloads(flat)
        else:
            rows.read_words(flat)
        if self._spike_step is None:
            rows.count_into(self.total)

    def _advance(self, now: int, position: int, message: NDArray[Any], arriving: tuple[NDArray[np.int32], ...]) -> None:
        if self._spike_step is not None:
            self._spike_step(now, self.states, arriving, message, self.total)
        elif self._bytes is None:
            self._step(now, self.states, arriving, message)
        else:
            spikes = self._bytes[position : position + len(message)]
            self._step(now, self.states, arriving, spikes)
            pack(spikes.reshape(-1, self.population.size), message.reshape(-1, message.shape[2]))

    def _make_ready(self, start: int, stop: int) -> None:
        """Set slots of the ring that are not initialised to zero."""
        for slot in range(start, stop):
            if not self._ready[slot]:
                for pending in self.pending.values():
                    pending[slot] = 0
                self._ready[slot] = True

    def _uniform_steps(self, now: int, limit: int) -> int:
        """Number of adjacent steps in the ring from `now` that agree on having pending and deferred input."""
        slot = now % self._ring
        limit = min(limit, self._ring - slot)
        if self._deferred is not None:
            for edge in (self._deferred.start, self._deferred.stop):
                if now < edge:
                    limit = min(limit, edge - now)
        filled = self._filled[slot]
        for length in range(1, limit):
            if self._filled[slot + length] != filled:
                return length
        return limit

    def defer_input(self, tiles: Tiles, active: SpikeEvents, start: int) -> int:
        """Keep input from step `start` on as events until these steps are updated, if that is faster.

        active: one row per step and sample, unchanged until then. Returns the number of deferred steps, 0 or all.
        """
        steps = active.rows // self.samples
        if self._tile_step is None or steps == 0 or (self._deferred is not None and self._deferred.stop > start):
            return 0
        self._deferred = _DeferredInput(tiles, active, start, start + steps)
        return steps

    def _deferred_rows(self, now: int, length: int) -> tuple[Tiles, SpikeEvents] | None:
        deferred_input = self._deferred
        if deferred_input is None or not deferred_input.start <= now < deferred_input.stop:
            return None
        start = (now - deferred_input.start) * self.samples
        return deferred_input.tiles, deferred_input.active.part(start, start + length * self.samples)

    def record(self, recording: Recording, step: int, start: int, stop: int) -> None:
        """Record these steps of the block, a single one if states are recorded; step: the time at `start`."""
        spikes = None
        if recording.s is not None:
            message = self.message[start:stop]
            spikes = message if self.population.GRADED else unpacked(message, self.population.size)
        recording.write(slice(step, step + stop - start), spikes, self.states)

    def rows(self, start: int, stop: int) -> SpikeEvents:
        """What was sent in these steps of the block."""
        return self.active.part(start * self.samples, stop * self.samples)

    def arrivals(self, port: str, step: int, steps: int) -> Iterator[tuple[int, int, NDArray[np.int32]]]:
        """Sums of pending input from `step` on, in one or more pieces: (first row, end row, (rows, size))."""
        for start, stop, slot in self._segments(step, steps):
            rows = self.pending[port][slot : slot + stop - start].reshape(-1, self.population.size)
            self._make_ready(slot, slot + stop - start)
            self._filled[slot : slot + stop - start] = [True] * (stop - start)
            yield start * self.samples, stop * self.samples, rows

    def _segments(self, step: int, steps: int) -> Iterator[tuple[int, int, int]]:
        """Runs of steps that are adjacent in the ring: (start, stop, slot), counted from `step`."""
        start = 0
        while start < steps:
            slot = (step + start) % self._ring
            stop = min(steps, start + self._ring - slot)
            yield start, stop, slot
            start = stop


class Synapses:
    """One connection's weights, laid out for the kernels, one part per delay."""

    def __init__(self, connection: Connection, source_size: int, graded: bool) -> None:
        self.connection = connection
        self._parts = delivery_parts(connection, source_size, graded)

    def deliver(self, active: SpikeEvents, target: PopulationState, step: int) -> None:
        """Deliver what was sent from `step` on, `delay` steps later; active: one row per step and sample."""
        steps = active.rows // target.samples
        for part in self._parts:
            deferred = 0
            if part.tiles is not None and steps > part.delay:
                # input after this block goes to the ring of pending input
                rows = active.part(0, (steps - part.delay) * target.samples)
                deferred = target.defer_input(part.tiles, rows, step + part.delay)
            rest = active.part(deferred * target.samples, active.rows)
            for start, stop, pending in target.arrivals(
                self.connection.port, step + part.delay + deferred, steps - deferred
            ):
                part.deliver(rest.part(start, stop), pending)


def synapses_of(program: ChipProgram, connections: Iterable[Connection], graded: set[str]) -> list[Synapses]:
    """Synapses of these connections, fused where possible; graded: the sources that send payloads."""
    return [
        Synapses(c, program.source_size(c.source), c.source in graded) for c in fuse_connections(connections, graded)
    ]


def longest_delay(connections: Sequence[Connection]) -> int:
    """Steps from a spike to its latest arrival, 1 without connections."""
    return max((c.longest_delay for c in connections), default=1)
