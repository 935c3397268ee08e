"""The emulator on torch's device: layer by layer over all steps, a group of samples at a time; loops step by step.

The integers are the emulator's in every entry; recurrent loops take one launch and product per step.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikeport.common.errors import InputError
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.lava_runtime.emulator.update_order import update_order
from spikeport.lava_runtime.inputs import graded_nodes
from spikeport.lava_runtime.jobs import Progress, Report
from spikeport.lava_runtime.result import Allocator, Record, Recording, SimulationResult, collect, zeros_in_memory

from .neurons import SUPPORTED, TorchPopulation
from .synapses import Part, parts_of

Inputs = Mapping[str, NDArray[Any]]
# numbers that a group of samples takes in the largest population, over all steps
_AT_ONCE = 1 << 27


def unsupported(program: ChipProgram) -> str | None:
    """What keeps a program from running here, None if nothing does."""
    for population in program.populations:
        if type(population) not in SUPPORTED:
            return f"population {population.name!r} has neurons {population.KIND}"
    return None


def emulate_on(
    device: str,
    program: ChipProgram,
    inputs: Inputs,
    steps: int,
    record: Record = "spikes",
    progress: Progress | None = None,
    allocate: Allocator = zeros_in_memory,
) -> SimulationResult:
    """As emulator.emulate, on torch's device; raises InputError for what it does not support."""
    missing = unsupported(program)
    if missing is not None:
        raise InputError(f"{missing}, which --device cuda does not run; use --device cpu")
    start = time.perf_counter()
    batch = next(iter(inputs.values())).shape[1]
    recordings = {
        p.name: Recording.empty(p, (steps, batch), p.name in program.outputs, record, allocate)
        for p in program.populations
    }
    run = _Run(program, graded_nodes(program, inputs), steps, torch.device(device))
    report = Report(progress, steps, batch)
    built = time.perf_counter()
    for group in _groups(program, steps, batch):
        run({name: x[:, group] for name, x in inputs.items()}, {n: r.of(group) for n, r in recordings.items()})
        report.advance(steps * (group.stop - group.start))
    seconds = {"build": built - start, "run": time.perf_counter() - built}
    return collect(program, inputs, steps, recordings, seconds, record)


def _groups(program: ChipProgram, steps: int, batch: int) -> Iterator[slice]:
    samples = max(1, _AT_ONCE // (steps * max(node.size for node in program.nodes)))
    for first in range(0, batch, samples):
        yield slice(first, min(first + samples, batch))


class _Run:
    """A program's synapses on the device, for one group of samples after the other."""

    def __init__(self, program: ChipProgram, graded: set[str], steps: int, device: torch.device) -> None:
        self._program, self._graded, self._steps, self._device = program, graded, steps, device
        self._order = update_order(program)
        self._parts: dict[str, list[tuple[str, Part]]] = {node.name: [] for node in program.nodes}
        for c in program.connections:
            for part in parts_of(c, program.source_size(c.source), device):
                self._parts[c.source].append((c.target, part))

    @torch.no_grad()
    def __call__(self, inputs: Inputs, recordings: Mapping[str, Recording]) -> None:
        batch = next(iter(inputs.values())).shape[1]
        arriving = {
            p.name: torch.zeros((self._steps, batch, p.size), dtype=torch.int32, device=self._device)
            for p in self._program.populations
        }
        neurons = {p.name: TorchPopulation(p, batch, self._device) for p in self._program.populations}
        for name, values in inputs.items():
            kind = np.int32 if name in self._graded else np.uint8
            self._deliver(name, torch.from_numpy(values[: self._steps].astype(kind)).to(self._device), 0, arriving)
        for group in self._order:
            names = group.populations
            for first in range(self._steps) if group.recurrent else (0,):
                steps = slice(first, first + 1) if group.recurrent else slice(0, self._steps)
                sent = {name: self._advance(name, neurons, arriving, steps, recordings) for name in names}
                for name in names:
                    self._deliver(name, sent[name], first, arriving)
            for name in names:
                del arriving[name]

    def _advance(
        self,
        name: str,
        neurons: Mapping[str, TorchPopulation],
        arriving: Mapping[str, Tensor],
        steps: slice,
        recordings: Mapping[str, Recording],
    ) -> Tensor:
        recording = recordings[name]
        ran = neurons[name].run(arriving[name][steps], steps.start, bool(recording.states))
        recording.n[:] += (ran.sent != 0).sum(0, dtype=torch.int32).cpu().numpy()
        if recording.s is not None:
            recording.s[steps] = ran.sent.cpu().numpy()
        for state, values in recording.states.items():
            values[steps] = ran.states[state].cpu().numpy()
        return ran.sent

    def _deliver(self, source: str, sent: Tensor, first: int, arriving: Mapping[str, Tensor]) -> None:
        """Add what was sent from step `first` on to what arrives later."""
        if not self._parts[source] or not sent.numel():
            return
        largest = int(sent.abs().max()) if source in self._graded else 1
        rows = sent.reshape(-1, sent.shape[2])
        for target, part in self._parts[source]:
            start = first + part.delay
            length = min(len(sent), self._steps - start)
            if length <= 0 or target not in arriving:
                continue
            added = part.deliver(rows[: length * sent.shape[1]], largest)
            arriving[target][start : start + length] += added.view(length, sent.shape[1], -1)
