"""Runs one sample of a large network on all cores: neurons are split over threads.

Each thread owns a part of every large population with its incoming synapses. In each step it updates its part, waits
for all threads, and receives what all have sent.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.program.chip_program import (
    ChipProgram,
    Connection,
    ConvConnection,
    DenseConnection,
    Population,
    SparseConnection,
)
from spikeport.lava_runtime.kernels.spike_events import SpikeEvents
from spikeport.lava_runtime.result import Recording

from .fuse_connections import fuse_connections
from .population_state import PopulationState, Synapses

# below this, synchronisation (about 0.1 ms per step) costs more than the threads save
NEURON_PARALLEL_FROM = 50_000
_SMALL_POPULATION = 4096

Parts = Mapping[str, slice]
PartSpikes = tuple[NDArray[np.int32], NDArray[np.int32]]
"""Indices and payloads of the spikes that one part of a population has sent."""


def can_split_neurons(program: ChipProgram) -> bool:
    """Whether a network is large enough and all connections can be split by target without changing any sum."""
    if sum(p.size for p in program.populations) < NEURON_PARALLEL_FROM:
        return False
    for population in program.populations:
        incoming = program.into(population.name)
        convolutions = [c for c in incoming if isinstance(c, ConvConnection)]
        if len({c.output_shape for c in convolutions}) > 1 or any(c.groups > 1 for c in convolutions):
            return False
        # the width of a delayed sum depends on all delays of its connection
        if any(c.synaptic_delays is not None for c in incoming):
            return False
    return True


def split_neurons(program: ChipProgram, threads: int) -> Sequence[Parts]:
    """The compartments of each thread; small populations stay whole in the first thread."""
    parts: list[dict[str, slice]] = [{} for _ in range(threads)]
    for population in program.populations:
        shapes = [c.output_shape for c in program.into(population.name) if isinstance(c, ConvConnection)]
        # a convolution is split between channels
        unit = shapes[0][1] * shapes[0][2] if shapes else 1
        pieces = min(threads, population.size // unit) if population.size >= _SMALL_POPULATION else 1
        edges = np.linspace(0, population.size // unit, pieces + 1).astype(int) * unit
        for part, (first, last) in zip(parts, pairwise(edges), strict=False):
            part[population.name] = slice(int(first), int(last))
    return parts


class NeuronParallelRun:
    """A run of one sample: the threads' parts and their synchronisation.

    inputs: by name, fills SpikeEvents with a step's input.
    """

    def __init__(
        self,
        program: ChipProgram,
        threads: int,
        graded: set[str],
        inputs: Mapping[str, Callable[[int, SpikeEvents], None]],
    ) -> None:
        self.parts = split_neurons(program, threads)
        self._inputs = inputs
        self._graded = graded
        self._barrier = threading.Barrier(threads)
        # spikes of even and of odd steps, so that no thread overwrites what another still reads
        self._sent: tuple[list[dict[str, PartSpikes]], ...] = tuple([{} for _ in self.parts] for _ in range(2))
        self._states = [
            {name: PopulationState(_part(program.population(name), part), 1, 1, program.into(name))
             for name, part in parts.items()}
            for parts in self.parts
        ]  # fmt: skip
        connections = fuse_connections(program.connections, graded)
        self._synapses = [
            [Synapses(rows(c, parts[c.target]), program.source_size(c.source), c.source in graded)
             for c in connections if c.target in parts]
            for parts in self.parts
        ]  # fmt: skip
        self._sizes = {node.name: node.size for node in program.nodes}

    def run(self, thread: int, steps: int, recordings: Mapping[str, Recording], proceed: Callable[[], bool]) -> None:
        """Run one thread's part of all steps while `proceed` returns True before each and no other thread has failed.

        recordings: of the part's compartments.
        """
        try:
            self._run(thread, steps, recordings, proceed)
        except threading.BrokenBarrierError:
            return
        except BaseException:
            self._barrier.abort()
            raise

    def _run(self, thread: int, steps: int, recordings: Mapping[str, Recording], proceed: Callable[[], bool]) -> None:
        states, synapses = self._states[thread], self._synapses[thread]
        needed = {s.connection.source for s in synapses}
        active = {name: SpikeEvents.empty(1, self._sizes[name], name in self._graded) for name in needed}
        for step in range(steps):
            if not proceed():
                self._barrier.abort()
                return
            sent = self._sent[step % 2]
            for name, state in states.items():
                state.update(step, 0, 1)
                sent[thread][name] = _sent(state.active, self.parts[thread][name].start, name in self._graded)
                state.record(recordings[name], step, 0, 1)
            self._barrier.wait()
            for name, into in active.items():
                if name in self._inputs:
                    self._inputs[name](step, into)
                else:
                    _join([part[name] for part in sent if name in part], into, name in self._graded)
            for synapse in synapses:
                synapse.deliver(active[synapse.connection.source], states[synapse.connection.target], step)
        for name, state in states.items():
            recordings[name].n[:] = state.total


def rows(connection: Connection, part: slice) -> Connection:
    """The synapses onto a part of the targets."""
    if isinstance(connection, SparseConnection):
        stored = slice(int(connection.indptr[part.start]), int(connection.indptr[part.stop]))
        return replace(
            connection, weights=connection.weights[stored], indices=connection.indices[stored],
            indptr=connection.indptr[part.start : part.stop + 1] - stored.start,
        )  # fmt: skip
    if isinstance(connection, ConvConnection):
        channels, height, width = connection.output_shape
        owned = slice(part.start // (height * width), part.stop // (height * width))
        shape = len(range(channels)[owned]), height, width
        return replace(connection, weights=connection.weights[owned], output_shape=shape)
    assert isinstance(connection, DenseConnection)
    return replace(connection, weights=connection.weights[part])


def _part(population: Population, part: slice) -> Population:
    constants = {name: getattr(population, name)[part] for name in population.constants()}
    return replace(population, shape=(part.stop - part.start,), **constants)


def _sent(active: SpikeEvents, first: int, graded: bool) -> PartSpikes:
    count = int(active.begin[1])
    return active.index[:count] + np.int32(first), active.payload[: count if graded else 0].copy()


def _join(sent: list[PartSpikes], into: SpikeEvents, graded: bool) -> None:
    count = 0
    for index, payload in sent:
        into.index[count : count + len(index)] = index
        if graded:
            into.payload[count : count + len(index)] = payload
        count += len(index)
    into.begin[1] = count
