"""The emulator of Xylo chips: xylosim's integers for a batch of samples, on all cores."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.exporter.neurons.xylo.neurons import MOST_INPUT_EVENTS, XyloHidden, XyloOutput
from spikeport.exporter.program.chip_program import ChipProgram, Integers, Population
from spikeport.exporter.xylo.kernel_constants import Block, Kernel
from spikeport.exporter.xylo.specification import specification_of
from spikeport.lava_runtime.jobs import Progress, Report, run_jobs
from spikeport.lava_runtime.result import Allocator, Record, Recording, SimulationResult, collect, zeros_in_memory

# elements of a block's recorded arrays, such that they stay in the cache
_BLOCK = 1 << 18

Events = NDArray[np.uint8] | Integers
Inputs = Mapping[str, NDArray[Any]]


def emulate_xylo(
    program: ChipProgram,
    inputs: Inputs,
    steps: int,
    record: Record = "spikes",
    progress: Progress | None = None,
    threads: int | None = None,
    allocate: Allocator = zeros_in_memory,
) -> SimulationResult:
    """Run a program for `steps` time steps; inputs are (input steps, batch, size) counts of events, silent afterwards.

    Arguments and result as those of spikeport.lava_runtime.emulator.emulator.emulate. Raises InputError.
    """
    start = time.perf_counter()
    check_counts(inputs)
    most = XyloHidden.MOST_EVENTS, XyloOutput.MOST_EVENTS
    network = Kernel.of(specification_of(program), most)
    batch = next(iter(inputs.values())).shape[1]
    recordings = {
        p.name: Recording.empty(p, (steps, batch), p.name in program.outputs, record, allocate)
        for p in program.populations
    }
    built = time.perf_counter()
    workers = min(threads or os.cpu_count() or 1, batch)
    bounds = [batch * n // workers for n in range(workers + 1)]
    groups = [slice(a, b) for a, b in pairwise(bounds)]
    report = Report(progress, steps, batch)

    def work(group: slice) -> None:
        own = {name: recording.of(group) for name, recording in recordings.items()}
        for finished in _run_group(network, program, inputs, group, steps, own):
            report.advance(finished * (group.stop - group.start))
            if report.stopped:
                return

    run_jobs([partial(work, group) for group in groups], report)
    seconds = {"build": built - start, "run": time.perf_counter() - built}
    return collect(program, dict(inputs), steps, recordings, seconds, record)


def check_counts(inputs: Inputs) -> None:
    """Raises InputError for a number of events that the chip does not receive in a step."""
    for name, values in inputs.items():
        lowest = 0 if values.dtype.kind in "bu" else values.min(initial=0)
        for count in (lowest, values.max(initial=0)):
            if not 0 <= count <= MOST_INPUT_EVENTS:
                raise InputError(
                    f"input {name!r} holds {count}, but a Xylo chip receives counts of events, 0 to "
                    f"{MOST_INPUT_EVENTS} per channel and step; scale the input, or spread it over more steps"
                )


def _run_group(
    network: Kernel, program: ChipProgram, inputs: Inputs, group: slice, steps: int, recordings: Mapping[str, Recording]
) -> Iterable[int]:
    """Run a group of samples, a block of steps after the other; yields the size of each."""
    samples = group.stop - group.start
    recorded = any(recording.states for recording in recordings.values())
    hidden = any(recordings[p.name].s is not None for p in program.populations if isinstance(p, XyloHidden))
    kept = (network.sizes.hidden if hidden or recorded else 0) + network.sizes.outputs
    length = max(1, min(steps, _BLOCK // (samples * max(1, kept) * (4 if recorded else 1))))
    states = network.start(samples)
    ports = [inputs[port.name] for port in program.inputs]
    block = Block.empty(network, length, samples, hidden=hidden, states=recorded)
    for first in range(0, steps, length):
        size = min(length, steps - first)
        network.advance(events_of(ports, first, size, group), states, size, block)
        sent, sent_out = block.sent[:size], block.sent_out[:size]
        write_block(program, recordings, slice(first, first + size), sent, sent_out, block.states, block.states_out)
        yield size
    write_counts(program, recordings, states.active, states.active_out)


def events_of(ports: list[NDArray[Any]], first: int, size: int, group: slice) -> NDArray[np.uint8]:
    """Events of all inputs in a block of steps, (steps, samples, channels), silent after their end."""
    if len(ports) == 1 and _is_plain(whole := ports[0][first : first + size, group]) and len(whole) == size:
        return whole
    channels = sum(port.shape[2] for port in ports)
    block = np.zeros((size, group.stop - group.start, channels), np.uint8)
    start = 0
    for port in ports:
        part = port[first : first + size, group]
        block[: len(part), :, start : start + port.shape[2]] = part
        start += port.shape[2]
    return block


def _is_plain(values: NDArray[Any]) -> bool:
    """Whether the kernel takes the array as it is: it is compiled for those that are whole and can be written."""
    flags = values.flags
    return type(values) is np.ndarray and values.dtype == np.uint8 and flags.c_contiguous and flags.writeable


def write_block(
    program: ChipProgram,
    recordings: Mapping[str, Recording],
    steps: slice,
    sent: Events,
    sent_out: Events,
    states: Integers,
    states_out: Integers,
) -> None:
    """Write a block to the recordings of the populations, each its part of the reservoir or the readout."""
    for population, part in _parts(program):
        is_hidden, recording = isinstance(population, XyloHidden), recordings[population.name]
        if recording.s is not None:
            recording.s[steps] = (sent if is_hidden else sent_out)[..., part]
        kept = (states if is_hidden else states_out)[..., part]
        for n, name in enumerate(population.STATES):
            if name in recording.states:
                recording.states[name][steps] = kept[n, : steps.stop - steps.start]


def write_counts(
    program: ChipProgram, recordings: Mapping[str, Recording], active: Integers, active_out: Integers
) -> None:
    """Write the steps in which each neuron sent events, (samples, size)."""
    for population, part in _parts(program):
        recordings[population.name].n[:] = (active if isinstance(population, XyloHidden) else active_out)[:, part]


def _parts(program: ChipProgram) -> Iterable[tuple[Population, slice]]:
    """Every population and its part of the reservoir or the readout."""
    starts = {True: 0, False: 0}
    for population in program.populations:
        is_hidden = isinstance(population, XyloHidden)
        start = starts[is_hidden]
        starts[is_hidden] = start + population.size
        yield population, slice(start, start + population.size)
