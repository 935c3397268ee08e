"""The emulator backend: the chip's integer arithmetic without Lava, on all cores."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.lava_runtime.inputs import graded_nodes
from spikeport.lava_runtime.jobs import Progress, Report, run_jobs
from spikeport.lava_runtime.kernels import warm_up
from spikeport.lava_runtime.kernels.spike_events import SpikeEvents
from spikeport.lava_runtime.result import Allocator, Record, Recording, SimulationResult, collect, zeros_in_memory

from .neuron_parallel import NeuronParallelRun, can_split_neurons
from .population_state import synapses_of
from .sample_parallel import GroupRunner, partition
from .update_order import UpdateGroup, update_order

# elements from which two threads are faster, per step in recurrent networks: not at 2.3e5 (784-512-512-10, 128
# samples), by 1.45 at 7.2e5
_SHARED_FROM = 500_000
# bytes read and recorded from which all samples advance step by step, instead of group by group through all steps
_STREAMED_FROM = 1 << 28

Inputs = dict[str, NDArray[Any]]


def emulate(
    program: ChipProgram,
    inputs: Inputs,
    steps: int,
    record: Record = "spikes",
    progress: Progress | None = None,
    threads: int | None = None,
    allocate: Allocator = zeros_in_memory,
) -> SimulationResult:
    """Run a program for `steps` time steps; inputs are (input steps, batch, size), silent after their end.

    Samples are independent, so the batch is split over threads: by default one per core, but a single one if a step is
    so little work that threads cost more than they save. One sample of a large network is split by neurons instead.
    Inputs are read step by step, also if mapped from disk; `allocate` provides the arrays that are recorded.
    """
    start = time.perf_counter()
    warm_up({p.KIND: p for p in program.populations}.values())
    batch = next(iter(inputs.values())).shape[1]
    graded = graded_nodes(program, inputs)
    recordings = {
        p.name: Recording.empty(p, (steps, batch), p.name in program.outputs, record, allocate)
        for p in program.populations
    }
    report, order = Report(progress, steps, batch), update_order(program)
    cores = threads or os.cpu_count() or 1
    if threads is None and batch > 1 and not _worth_threads(program, order, steps, batch):
        cores = 1
    if batch == 1 and cores > 1 and can_split_neurons(program):
        jobs = _groups_of_neurons(program, inputs, graded, steps, recordings, report, cores)
    else:
        jobs = _groups_of_samples(program, order, inputs, graded, steps, recordings, report, cores)
    built = time.perf_counter()
    run_jobs(jobs, report)
    seconds = {"build": built - start, "run": time.perf_counter() - built}
    return collect(program, inputs, steps, recordings, seconds, record)


def _worth_threads(program: ChipProgram, order: Sequence[UpdateGroup], steps: int, batch: int) -> bool:
    """Whether there is enough work for threads, in elements: of the whole run, or per step if it is recurrent."""
    at_once = 1 if any(group.recurrent for group in order) else steps
    return at_once * batch * sum(node.size for node in program.nodes) >= _SHARED_FROM


def _groups_of_samples(
    program: ChipProgram, order: Sequence[UpdateGroup], inputs: Inputs, graded: set[str], steps: int,
    recordings: dict[str, Recording], report: Report, cores: int,
) -> list[Callable[[], None]]:  # fmt: skip
    """One job per thread, which takes one group of samples after the other."""
    synapses = synapses_of(program, program.connections, graded)
    batch = next(iter(inputs.values())).shape[1]
    streamed = sum(x.nbytes for x in inputs.values()) + sum(r.nbytes for r in recordings.values()) > _STREAMED_FROM
    split = partition(program, order, steps, batch, min(cores, batch), streamed)
    remaining = iter(split.groups)

    def run() -> None:
        runner = GroupRunner(program, order, synapses, graded, split.steps)
        for group in remaining:
            if report.stopped:
                return
            group_inputs = {name: x[:, group] for name, x in inputs.items()}
            group_recordings = {name: recording.of(group) for name, recording in recordings.items()}

            def proceed(steps: int, samples: int = group.stop - group.start) -> bool:
                report.advance(steps * samples)
                return not report.stopped

            runner.run(group_inputs, steps, group_recordings, proceed)

    return [run] * min(cores, len(split.groups))


def _groups_of_neurons(
    program: ChipProgram, inputs: Inputs, graded: set[str], steps: int, recordings: dict[str, Recording],
    report: Report, cores: int,
) -> list[Callable[[], None]]:  # fmt: skip
    """One job per part of the neurons."""

    def enter(name: str, step: int, active: SpikeEvents) -> None:
        _read_step(inputs[name], step, active, name in graded)

    shared = NeuronParallelRun(program, cores, graded, {name: partial(enter, name) for name in inputs})

    def run(thread: int) -> None:
        group_recordings = {name: recordings[name].part(part) for name, part in shared.parts[thread].items()}

        def proceed() -> bool:
            report.advance(1 if thread == 0 else 0)
            return not report.stopped

        shared.run(thread, steps, group_recordings, proceed)

    return [partial(run, thread) for thread in range(cores)]


def _read_step(x: NDArray[Any], step: int, active: SpikeEvents, graded: bool) -> None:
    if step >= len(x):
        active.begin[:] = 0
    elif graded:
        active.read_payloads(np.ascontiguousarray(x[step], dtype=np.int32))
    else:
        active.read_spikes(np.ascontiguousarray(x[step], dtype=np.uint8))
