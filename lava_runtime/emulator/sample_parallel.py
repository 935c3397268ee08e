"""Groups of samples through a network, a block of time steps at a time, stage by stage.

A block of a group is so small that what arrives in it stays in the processor's cache, and so large that the kernels
work for long without the interpreter, so that threads do not wait for each other.
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

# estimates, they decide speed alone: what arrives at the largest population in a block, and its steps
_BLOCK_BYTES = 1 << 22
_BLOCK_STEPS = 32


@dataclass(frozen=True)
class BatchPartition:
    """steps: of a block; groups: of samples."""

    steps: int
    groups: tuple[slice, ...]


def cut(
    program: ChipProgram, order: Sequence[UpdateGroup], steps: int, batch: int, threads: int, streamed: bool
) -> BatchPartition:
    """How a run is cut, a multiple of the threads in groups where there are as many samples.

    streamed: what is read and recorded is too much to go through it group by group, so that each thread has one group.
    """
    rows = max(1, _BLOCK_BYTES // (4 * max(p.size for p in program.populations)))
    share = -(-batch // threads)
    length = max(1, min(steps, rows, _BLOCK_STEPS))
    samples = max(1, min(share, rows // length))
    if streamed or any(stage.circular for stage in order):
        # step by step the kernels are short already
        samples, length = share, max(1, min(length, rows // share))
    number = min(batch, -(-share // samples) * threads)
    edges = np.cumsum([0, *(len(part) for part in np.array_split(np.empty(batch), number))])
    return BatchPartition(length, tuple(slice(int(a), int(b)) for a, b in pairwise(edges)))


class GroupRunner:
    """One thread's working memory, for groups of at most so many samples, one after the other."""

    def __init__(
        self,
        program: ChipProgram,
        order: Sequence[UpdateGroup],
        synapses: Sequence[Synapses],
        graded: set[str],
        steps: int,
    ) -> None:
        self._program, self._graded, self._steps = program, graded, steps
        self._stages = order
        together = {name: stage.populations for stage in self._stages for name in stage.populations}
        self._within: dict[str, list[Synapses]] = {node.name: [] for node in program.nodes}
        self._beyond: dict[str, list[Synapses]] = {node.name: [] for node in program.nodes}
        for synapse in synapses:
            source, target = synapse.connection.source, synapse.connection.target
            chosen = self._within if target in together.get(source, ()) else self._beyond
            chosen[source].append(synapse)
        self._samples = 0
        self._states: dict[str, PopulationState] = {}
        self._entries: dict[str, _Entry] = {}

    def run(self, inputs: Inputs, steps: int, kept: Mapping[str, Recording], proceed: Callable[[int], bool]) -> None:
        """All steps of one group, as long as `proceed`, told the number of steps done, says so.

        inputs: (input steps, samples, size), silent after their end; kept: where the group is recorded.
        """
        self._prepare(next(iter(inputs.values())).shape[1])
        for begin in range(0, steps, self._steps):
            length = min(self._steps, steps - begin)
            for name, values in inputs.items():
                active = self._entries[name].read(values[begin : begin + length], length)
                self._deliver(self._beyond[name], active, begin)
            for stage in self._stages:
                self._advance(stage, begin, length, kept)
            if not proceed(length):
                return
        for name, state in self._states.items():
            kept[name].n[:] = state.total

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
        self._entries = {
            port.name: _Entry(self._steps, samples, port.size, port.name in self._graded) for port in program.inputs
        }

    def _advance(self, stage: UpdateGroup, begin: int, length: int, kept: Mapping[str, Recording]) -> None:
        names = stage.populations
        if stage.circular:
            for place in range(length):
                for name in names:
                    self._update(name, begin, place, place + 1, kept[name])
                for name in names:
                    self._deliver(self._within[name], self._states[name].rows(place, place + 1), begin + place)
        else:
            self._update(names[0], begin, 0, length, kept[names[0]])
        for name in names:
            self._deliver(self._beyond[name], self._states[name].rows(0, length), begin)

    def _update(self, name: str, begin: int, first: int, last: int, kept: Recording) -> None:
        state = self._states[name]
        for piece in _pieces(first, last, 1 if kept.states else last - first):
            state.update(begin + piece.start, piece.start, piece.stop)
            state.record(kept, begin + piece.start, piece.start, piece.stop)

    def _deliver(self, synapses: Sequence[Synapses], active: SpikeEvents, step: int) -> None:
        for synapse in synapses:
            synapse.deliver(active, self._states[synapse.connection.target], step)


class _Entry:
    """One input of a group, a block at a time."""

    def __init__(self, steps: int, samples: int, size: int, graded: bool) -> None:
        self._values = np.empty((steps, samples, size), np.int32 if graded else np.uint8)
        self._words = np.empty((steps, samples, words_of(size)), np.uint64)
        self._active = SpikeEvents.empty(steps * samples, size, graded)
        self._graded = graded

    def read(self, values: NDArray[Any], steps: int) -> SpikeEvents:
        """The block's events; values: (input steps, samples, size), of which there may be fewer than steps."""
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
    """Whether every step's values lie in memory as the kernels read them."""
    return values.dtype == np.uint8 and len(values) > 0 and values[0].flags.c_contiguous


def _pieces(first: int, last: int, length: int) -> Iterator[slice]:
    for begin in range(first, last, length):
        yield slice(begin, min(begin + length, last))
