"""The emulator backend: the chip's integers without Lava, on any current Python, on all cores."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.program import ChipProgram

from .engine import PopulationState, Synapses
from .inputs import graded_nodes
from .kernels import warm_up
from .kernels.active import Active
from .result import Record, Recording, Room, SimulationResult, collect, in_memory
from .shared import Shared, can_share

# elements a step from which two threads gain: 2.3e5 (784-512-512-10, 128 samples) do not, 7.2e5 (convolutions) by 1.45
_SHARED_FROM = 500_000

Progress = Callable[[int, int], None]
Inputs = dict[str, NDArray[Any]]


def emulate(
    program: ChipProgram,
    inputs: Inputs,
    steps: int,
    record: Record = "spikes",
    progress: Progress | None = None,
    threads: int | None = None,
    room: Room = in_memory,
) -> SimulationResult:
    """Run a program for `steps` time steps; inputs are (input steps, batch, size), silent after their end.

    Samples do not see each other, so the batch is cut into one group a thread: by default a core, but one in all where
    a step is so little work that handing over between threads costs more than it saves. One sample of a large network
    is cut by compartments instead. Inputs are read a step at a time, as they lie on disk where they are mapped from
    there; `room` says where what is recorded goes.
    """
    begin = time.perf_counter()
    warm_up({p.KIND: p for p in program.populations}.values())
    batch = next(iter(inputs.values())).shape[1]
    graded = graded_nodes(program, inputs)
    recordings = {
        p.name: Recording.empty(p, (steps, batch), p.name in program.outputs, record, room) for p in program.populations
    }
    report = _Report(progress, steps, batch)
    cores = threads or os.cpu_count() or 1
    if threads is None and batch > 1 and not _worth_threads(program, batch):
        cores = 1
    if batch == 1 and cores > 1 and can_share(program):
        jobs = _parts(program, inputs, graded, steps, recordings, report, cores)
    else:
        jobs = _groups_of_samples(program, inputs, graded, steps, recordings, report, cores)
    built = time.perf_counter()
    with ThreadPoolExecutor(len(jobs)) as pool:
        try:
            list(pool.map(lambda job: job(), jobs))
        except BaseException:
            report.stop()
            raise
    seconds = {"build": built - begin, "run": time.perf_counter() - built}
    return collect(program, inputs, steps, recordings, seconds)


def _worth_threads(program: ChipProgram, batch: int) -> bool:
    """Whether a step of the batch, counted in elements, is long enough to be shared (about a millisecond)."""
    return batch * sum(node.size for node in program.nodes) >= _SHARED_FROM


def _groups_of_samples(
    program: ChipProgram, inputs: Inputs, graded: set[str], steps: int, recordings: dict[str, Recording],
    report: _Report, cores: int,
) -> list[Callable[[], None]]:  # fmt: skip
    """One job a group of samples."""
    synapses = [Synapses(c, program.source_size(c.source), c.source in graded) for c in program.connections]
    batch = next(iter(inputs.values())).shape[1]

    def run(group: slice) -> None:
        mine = {name: x[:, group] for name, x in inputs.items()}
        kept = {name: recording.of(group) for name, recording in recordings.items()}
        _run_group(program, synapses, mine, graded, steps, kept, report)

    return [partial(run, group) for group in _groups(batch, cores)]


def _parts(
    program: ChipProgram, inputs: Inputs, graded: set[str], steps: int, recordings: dict[str, Recording],
    report: _Report, cores: int,
) -> list[Callable[[], None]]:  # fmt: skip
    """One job a part of the compartments."""

    def enter(name: str, step: int, active: Active) -> None:
        _enter(inputs[name], step, active, name in graded)

    shared = Shared(program, cores, graded, {name: partial(enter, name) for name in inputs})

    def run(thread: int) -> None:
        kept = {name: recordings[name].part(part) for name, part in shared.parts[thread].items()}

        def proceed() -> bool:
            report.advance(1 if thread == 0 else 0)
            return not report.stopped

        shared.run(thread, steps, kept, proceed)

    return [partial(run, thread) for thread in range(cores)]


class _Report:
    """Adds up the steps of all groups for the progress display, and tells groups to stop."""

    def __init__(self, progress: Progress | None, steps: int, batch: int) -> None:
        self._progress, self._total, self._done = progress, steps * batch, 0
        self._lock = threading.Lock()
        self.stopped = False

    def advance(self, samples: int) -> None:
        if self._progress is not None:
            with self._lock:
                self._done += samples
                self._progress(self._done, self._total)

    def stop(self) -> None:
        self.stopped = True


def _groups(batch: int, cores: int) -> list[slice]:
    edges = np.linspace(0, batch, min(batch, cores) + 1).astype(int)
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]


def _run_group(
    program: ChipProgram,
    synapses: list[Synapses],
    inputs: Inputs,
    graded: set[str],
    steps: int,
    kept: dict[str, Recording],
    report: _Report,
) -> None:
    batch = next(iter(inputs.values())).shape[1]
    states = {p.name: PopulationState(p, batch, program.into(p.name)) for p in program.populations}
    active = {port.name: Active.empty(batch, port.size) for port in program.inputs}
    active |= {name: state.active for name, state in states.items()}
    for step in range(steps):
        if report.stopped:
            return
        for state in states.values():
            state.update(step)
        for name, values in inputs.items():
            _enter(values, step, active[name], name in graded)
        for synapse in synapses:
            connection = synapse.connection
            synapse.deliver(active[connection.source], states[connection.target], step)
        for name, state in states.items():
            kept[name].take(step, state.sent, state.states)
        report.advance(batch)
    for name, state in states.items():
        kept[name].n[:] = state.total


def _enter(x: NDArray[Any], step: int, active: Active, graded: bool) -> None:
    if step >= len(x):
        active.count[:] = 0
    elif graded:
        active.read_payloads(np.ascontiguousarray(x[step], dtype=np.int32))
    else:
        active.read_bits(np.packbits(x[step] != 0, axis=1))
