"""Runs a program on any of the backends of its chip."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Literal, get_args

from spikeport.common.accelerator import torch_device
from spikeport.common.as_arrays import check_whole
from spikeport.common.errors import InputError, check_choice
from spikeport.exporter.program.chip_program import ChipProgram, InputArrays
from spikeport.lava_runtime.lava_backend.child import run_lava

from .inputs import check_input, steps_and_samples
from .own_emulators import emulator_of
from .result import Allocator, Record, SimulationResult, zeros_in_memory
from .xylo.vendor import run_xylosim

Backend = Literal["lava", "stock", "emulator", "xylosim"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
RECORDS: tuple[Record, ...] = get_args(Record)
DEFAULT_LIMIT_SECONDS = 600.0
REFEREES: dict[str, tuple[Backend, ...]] = {"loihi": ("lava", "stock"), "xylo": ("xylosim",)}
"""The backends that give the same integers as the emulator, by the integers of the chip."""


def answer_steps(program: ChipProgram, x: InputArrays) -> int:
    """Chip steps until all answers to x are complete: the steps of x and those of the pipeline."""
    return steps_and_samples(x)[0] + program.pipeline_steps


def simulate(
    program: ChipProgram,
    x: InputArrays,
    backend: Backend = "emulator",
    steps: int | None = None,
    record: Record = "spikes",
    limit_seconds: float = DEFAULT_LIMIT_SECONDS,
    progress: Callable[[int, int], None] | None = None,
    context: str = "input",
    threads: int | None = None,
    allocate: Allocator = zeros_in_memory,
    device: str = "cpu",
) -> SimulationResult:
    """Run a program on 0/1 spikes or payloads x (time, batch, *input shape), one array per name for several inputs.

    steps: time steps of the chip, by default enough for every answer (`answer_steps`). threads and allocate: see
    `emulator.emulator.emulate`; the other backends have their own processes and files. All backends give equal arrays.
    device: of the emulator: "cpu", "cuda" (a GPU), or "auto", a GPU if torch finds one and it can run the program.
    context: names the input in errors. Raises InputError for bad input and BackendError if Lava is missing, fails or
    takes longer than limit_seconds.
    """
    check_choice("backend", backend, BACKENDS)
    check_choice("record", record, RECORDS)
    check_whole("steps", steps)
    check_whole("threads", threads)
    if not isinstance(limit_seconds, Real) or not limit_seconds > 0:
        raise InputError(f"limit_seconds is {limit_seconds!r}, but must be a positive number of seconds")
    if steps is not None and steps < 1:
        raise InputError(f"steps is {steps}, but a run takes at least one time step")
    others = REFEREES.get(program.integers, ())
    if backend != "emulator" and backend not in others:
        raise InputError(
            f"backend {backend} does not compute with the integers of {program.chip}; choose "
            f"{' or '.join(('emulator', *others))}"
        )
    inputs = check_input(program, x, context)
    length = steps if steps is not None else answer_steps(program, x)
    if on_gpu(program, backend, device):
        from .torch_emulator.emulate import emulate_on

        return emulate_on(torch_device(device), program, inputs, length, record, progress, allocate)
    if backend == "emulator":
        return emulator_of(program)(program, inputs, length, record, progress, threads, allocate)
    if backend == "xylosim":
        return run_xylosim(program, inputs, length, record, progress)
    return run_lava(program, inputs, length, backend, record, limit_seconds, progress)


def on_gpu(program: ChipProgram, backend: Backend, device: str) -> bool:
    """Whether a run is computed on a GPU; raises InputError where one is asked for that cannot."""
    chosen = torch_device(device)
    if device != "cuda" and (chosen == "cpu" or backend != "emulator"):
        return False
    if backend != "emulator":
        raise InputError(f"device is cuda, but backend {backend} computes on the CPU; choose the emulator, or cpu")
    from .torch_emulator.emulate import unsupported

    return device == "cuda" or unsupported(program) is None
