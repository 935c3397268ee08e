"""Runs groups of samples through a network by blocks of time steps, one update group after the other.

A block is small enough for its synaptic input to stay in the cache, and large enough that kernels run long without the
interpreter, so that threads do not wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.lava_runtime.kernels.spike_events import SpikeEvents, pack, words_of
from spikeport.lava_runtime.result import Recording

from .population_state import PopulationState, Synapses
from .update_order import UpdateGroup

Inputs = Mapping[str, NDArray[Any]]

# estimates that affect only speed: bytes of input to the largest population per block, and steps of a block
_BLOCK_BYTES = 1 << 22
_BLOCK_STEPS = 32


@dataclass(frozen=True)
class BatchPartition:
    """How a run is split; steps: of a block; groups: of samples."""

    steps: int
    groups: tuple[slice, ...]


def partition(
    program: ChipProgram, order: Sequence[UpdateGroup], steps: int, batch: int, threads: int, streamed: bool
) -> BatchPartition:
    """Split a run into groups of samples, a multiple of the threads if there are as many samples.

    streamed: too much is read and recorded to pass over it group by group, so each thread gets one group.
    """
    rows = max(1, _BLOCK_BYTES // (4 * max(p.size for p in program.populations)))
    share = -(-batch // threads)
    length = max(1, min(steps, rows, _BLOCK_STEPS))
    samples = max(1, min(share, rows // length))
    if streamed or any(group.recurrent for group in order):
        # kernel calls are short anyway if the run advances step by step
        samples, length = share, max(1, min(length, rows // share))
    number = min(batch, -(-share // samples) * threads)
    edges = np.cumsum([0, *(len(part) for part in np.array_split(np.empty(batch), number))])
    return BatchPartition(length, tuple(slice(int(a), int(b)) for a, b in pairwise(edges)))


class GroupRunner:
    """One thread's working memory, used for one group of samples after the other."""

    def __init__(
        self,
        program: ChipProgram,
        order: Sequence[UpdateGroup],
        synapses: Sequence[Synapses],
        graded: set[str],
        steps: int,
    ) -> None:
        self._program, self._graded, self._steps = program, graded, steps
        self._order = order
        together = {name: group.populations for group in self._order for name in group.populations}
        self._within: dict[str, list[Synapses]] = {node.name: [] for node in program.nodes}
        self._beyond: dict[str, list[Synapses]] = {node.name: [] for node in program.nodes}
        for synapse in synapses:
            source, target = synapse.connection.source, synapse.connection.target
            by_source = self._within if target in together.get(source, ()) else self._beyond
            by_source[source].append(synapse)
        self._samples = 0
        self._states: dict[str, PopulationState] = {}
        self._input_events: dict[str, InputEvents] = {}

    def run(
        self, inputs: Inputs, steps: int, recordings: Mapping[str, Recording], proceed: Callable[[int], bool]
    ) -> None:
        """Run all steps of one group while `proceed`, called with the number of finished steps, returns True.

        inputs: (input steps, samples, size), silent after their end; recordings: of the group.
        """
        self._prepare(next(iter(inputs.values())).shape[1])
        for start in range(0, steps, self._steps):
            length = min(self._steps, steps - start)
            for name, values in inputs.items():
                active = self._input_events[name].read(values[start : start + length], length)
                self._deliver(self._beyond[name], active, start)
            for group in self._order:
                self._advance(group, start, length, recordings)
            if not proceed(length):
                return
        for name, state in self._states.items():
            recordings[name].n[:] = state.total

    def _prepare(self, samples: int) -> None:
        if samples == self._samples:
            for state in self._states.values():
                state.reset()
            return
        program = self._program
        self._samples = samples
        self._states = {
            p.name: PopulationState(p, samples, self._steps, program.into(p.name)) for p in program.populations
        }
        self._input_events = {
            port.name: InputEvents(self._steps, samples, port.size, port.name in self._graded)
            for port in program.inputs
        }

    def _advance(self, group: UpdateGroup, start: int, length: int, recordings: Mapping[str, Recording]) -> None:
        names = group.populations
        if group.recurrent:
            for offset in range(length):
                for name in names:
                    self._update(name, start, offset, offset + 1, recordings[name])
                for name in names:
                    self._deliver(self._within[name], self._states[name].rows(offset, offset + 1), start + offset)
        else:
            self._update(names[0], start, 0, length, recordings[names[0]])
        for name in names:
            self._deliver(self._beyond[name], self._states[name].rows(0, length), start)

    def _update(self, name: str, step: int, start: int, stop: int, recording: Recording) -> None:
        state = self._states[name]
        for piece in _pieces(start, stop, 1 if recording.states else stop - start):
            state.update(step + piece.start, piece.start, piece.stop)
            state.record(recording, step + piece.start, piece.start, piece.stop)

    def _deliver(self, synapses: Sequence[Synapses], active: SpikeEvents, step: int) -> None:
        for synapse in synapses:
            synapse.deliver(active, self._states[synapse.connection.target], step)


class InputEvents:
    """Events of one input of a group, a block at a time."""

    def __init__(self, steps: int, samples: int, size: int, graded: bool) -> None:
        self._values = np.empty((steps, samples, size), np.int32 if graded else np.uint8)
        self._words = np.empty((steps, samples, words_of(size)), np.uint64)
        self._active = SpikeEvents.empty(steps * samples, size, graded)
        self._graded = graded

    def read(self, values: NDArray[Any], steps: int) -> SpikeEvents:
        """The block's events; values: (input steps, samples, size), possibly fewer than steps."""
        samples = values.shape[1]
        rows = self._active.part(0, steps * samples)
        if self._graded or not _rows_of_bytes(values):
            block = self._values[:steps]
            np.copyto(block[: len(values)], values, casting="unsafe")
            values = block[: len(values)]
        if self._graded:
            block[len(values) :] = 0
            rows.read_payloads(block.reshape(rows.rows, -1))
        else:
            words = self._words[:steps]
            for spikes, into in zip(values, words, strict=False):
                pack(spikes, into)
            words[len(values) :] = 0
            rows.read_words(words.reshape(rows.rows, -1))
        return rows


def _rows_of_bytes(values: NDArray[Any]) -> bool:
    """Whether every step's values have the memory layout that the kernels read."""
    return values.dtype == np.uint8 and len(values) > 0 and values[0].flags.c_contiguous


def _pieces(start: int, stop: int, length: int) -> Iterator[slice]:
    for first in range(start, stop, length):
        yield slice(first, min(first + length, stop))
