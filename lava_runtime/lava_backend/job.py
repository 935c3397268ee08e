"""The folder that the parent and the Lava child process share: a program, inputs and result arrays."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.npy import create_npy
from spikeport.exporter.program.chip_file import load_program
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.lava_runtime.result import Record

PROGRAM = "program.chip"
REQUEST = "request.json"
FAULT = "fault.json"
SECONDS = "seconds.json"


@dataclass(frozen=True)
class Request:
    """What to run: backend, number of chip steps, what to record, and the tag that names shared memory."""

    backend: str
    steps: int
    batch: int
    record: Record
    tag: str


@dataclass(frozen=True)
class Job:
    """A request with its folder."""

    folder: Path
    request: Request
    program: ChipProgram

    def input(self, index: int) -> NDArray[Any]:
        """Input port's values (input steps, batch, size), uint8, or int32 for payloads; read from disk on access."""
        values: NDArray[Any] = np.load(self.folder / f"input{index}.npy", mmap_mode="r", allow_pickle=False)
        return values

    def arrays(self, index: int) -> dict[str, NDArray[Any]]:
        """The recorded arrays of a population, by name: n (batch, size), s and states (steps, batch, size)."""
        names = recorded_names(self.program, index, self.request)
        return {name: np.load(_path(self.folder, name, index), mmap_mode="r+", allow_pickle=False) for name in names}


def shared_progress(folder: Path) -> NDArray[np.int64]:
    """One number that a job's processes share: chip steps done."""
    values: NDArray[np.int64] = np.load(folder / "progress.npy", mmap_mode="r+", allow_pickle=False)
    return values


def recorded_names(program: ChipProgram, index: int, request: Request) -> tuple[str, ...]:
    """Names of the arrays recorded for a population: n always, s for outputs, s and all states where asked for."""
    population = program.populations[index]
    if request.record == "all":
        return "n", "s", *population.STATES
    # the stock backend's probe needs no counts array of its own, but an output's spikes are always recorded
    return ("n", "s") if population.name in program.outputs or request.record == "layers" else ("n",)


def create_arrays(folder: Path, request: Request, program: ChipProgram) -> None:
    """Create the result arrays, all zeros; raises OSError if the disk has no room for them."""
    np.save(folder / "progress.npy", np.zeros(1, np.int64))
    for index, population in enumerate(program.populations):
        for name in recorded_names(program, index, request):
            steps = () if name == "n" else (request.steps,)
            shape = (*steps, request.batch, population.size)
            packed = name == "s" and not population.GRADED
            create_npy(_path(folder, name, index), shape, np.uint8 if packed else np.int32)


def _path(folder: Path, name: str, index: int) -> Path:
    return folder / f"{name}{index}.npy"


def write_request(folder: Path, request: Request) -> None:
    """Write the request into the job's folder."""
    (folder / REQUEST).write_text(json.dumps(asdict(request)), encoding="utf-8")


def load_job(folder: Path) -> Job:
    """Read a job's folder."""
    request = Request(**json.loads((folder / REQUEST).read_text(encoding="utf-8")))
    return Job(folder, request, load_program(folder / PROGRAM))


def write_fault(folder: Path, layer: str, message: str) -> None:
    """Record which layer failed and why; the first fault is kept, and none on a full disk or without the folder."""
    target = folder / FAULT
    temporary = folder / f"{FAULT}.{layer.replace('/', '_')}"
    with suppress(OSError):
        temporary.write_text(json.dumps({"layer": layer, "message": message}), encoding="utf-8")
        if not target.exists():
            temporary.rename(target)
