"""The emulator backend: the chip's integers without Lava, on any current Python, on all cores."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.lava_runtime.inputs import graded_nodes
from spikeport.lava_runtime.kernels import warm_up
from spikeport.lava_runtime.kernels.spike_events import SpikeEvents
from spikeport.lava_runtime.result import Allocator, Record, Recording, SimulationResult, collect, zeros_in_memory

from .neuron_parallel import NeuronParallelRun, can_split_neurons
from .population_state import synapses_of
from .sample_parallel import GroupRunner, cut
from .update_order import UpdateGroup, stages

# elements from which two threads gain, in circles a step: 2.3e5 (784-512-512-10, 128 samples) do not, 7.2e5 do by 1.45
_SHARED_FROM = 500_000
# bytes read and recorded from which a run goes through all samples step by step, not through all steps group by group
_STREAMED_FROM = 1 << 28

Progress = Callable[[int, int], None]
Inputs = dict[str, NDArray[Any]]


def emulate(
    program: ChipProgram,
    inputs: Inputs,
    steps: int,
    record: Record = "spikes",
    progress: Progress | None = None,
    threads: int | None = None,
    room: Allocator = zeros_in_memory,
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
    report, order = _Report(progress, steps, batch), stages(program)
    cores = threads or os.cpu_count() or 1
    if threads is None and batch > 1 and not _worth_threads(program, order, steps, batch):
        cores = 1
    if batch == 1 and cores > 1 and can_split_neurons(program):
        jobs = _parts(program, inputs, graded, steps, recordings, report, cores)
    else:
        jobs = _groups_of_samples(program, order, inputs, graded, steps, recordings, report, cores)
    built = time.perf_counter()
    with ThreadPoolExecutor(len(jobs)) as pool:
        try:
            list(pool.map(lambda job: job(), jobs))
        except BaseException:
            report.stop()
            raise
    seconds = {"build": built - begin, "run": time.perf_counter() - built}
    return collect(program, inputs, steps, recordings, seconds, record)


def _worth_threads(program: ChipProgram, order: Sequence[UpdateGroup], steps: int, batch: int) -> bool:
    """Whether there is enough, counted in elements, to be shared: in the whole run, where circles are in each step."""
    at_once = 1 if any(stage.circular for stage in order) else steps
    return at_once * batch * sum(node.size for node in program.nodes) >= _SHARED_FROM


def _groups_of_samples(
    program: ChipProgram, order: Sequence[UpdateGroup], inputs: Inputs, graded: set[str], steps: int,
    recordings: dict[str, Recording], report: _Report, cores: int,
) -> list[Callable[[], None]]:  # fmt: skip
    """One job a thread, which takes one group of samples after the other."""
    synapses = synapses_of(program, program.connections, graded)
    batch = next(iter(inputs.values())).shape[1]
    streamed = sum(x.nbytes for x in inputs.values()) + sum(r.nbytes for r in recordings.values()) > _STREAMED_FROM
    made = cut(program, order, steps, batch, min(cores, batch), streamed)
    waiting = iter(made.groups)

    def run() -> None:
        runner = GroupRunner(program, order, synapses, graded, made.steps)
        for group in waiting:
            if report.stopped:
                return
            mine = {name: x[:, group] for name, x in inputs.items()}
            kept = {name: recording.of(group) for name, recording in recordings.items()}

            def proceed(steps: int, samples: int = group.stop - group.start) -> bool:
                report.advance(steps * samples)
                return not report.stopped

            runner.run(mine, steps, kept, proceed)

    return [run] * min(cores, len(made.groups))


def _parts(
    program: ChipProgram, inputs: Inputs, graded: set[str], steps: int, recordings: dict[str, Recording],
    report: _Report, cores: int,
) -> list[Callable[[], None]]:  # fmt: skip
    """One job a part of the compartments."""

    def enter(name: str, step: int, active: SpikeEvents) -> None:
        _enter(inputs[name], step, active, name in graded)

    shared = NeuronParallelRun(program, cores, graded, {name: partial(enter, name) for name in inputs})

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


def _enter(x: NDArray[Any], step: int, active: SpikeEvents, graded: bool) -> None:
    if step >= len(x):
        active.begin[:] = 0
    elif graded:
        active.read_payloads(np.ascontiguousarray(x[step], dtype=np.int32))
    else:
        active.read_spikes(np.ascontiguousarray(x[step], dtype=np.uint8))
