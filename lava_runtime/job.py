"""What the parent and the Lava child process tell each other: a folder with a program, inputs and result arrays."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.program import ChipProgram
from exporter.program_file import load_program

from .result import Record

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

    def input(self, index: int) -> NDArray[np.int32]:
        """Input port's values (input steps, batch, size), read from disk as needed."""
        values: NDArray[np.int32] = np.load(self.folder / f"input{index}.npy", mmap_mode="r", allow_pickle=False)
        return values

    def array(self, letter: str, index: int) -> NDArray[Any]:
        """A result array of population number `index`: s, u, v (steps, batch, size) or n (batch, size)."""
        values: NDArray[Any] = np.load(self.path(letter, index), mmap_mode="r+", allow_pickle=False)
        return values

    def path(self, letter: str, index: int) -> Path:
        """Where a result array lies."""
        return self.folder / f"{letter}{index}.npy"

    def arrays(self, index: int) -> dict[str, NDArray[Any]]:
        """The result arrays that are kept of a population, by letter."""
        return {letter: self.array(letter, index) for letter in "nsuv" if self.path(letter, index).exists()}


def shared_progress(folder: Path) -> NDArray[np.int64]:
    """One number that a job's processes share: chip steps done."""
    values: NDArray[np.int64] = np.load(folder / "progress.npy", mmap_mode="r+", allow_pickle=False)
    return values


def recorded_letters(program: ChipProgram, index: int, request: Request) -> str:
    """Which arrays are kept of a population: n always, s for outputs, all of s, u, v where asked for."""
    if request.record == "all":
        return "nsuv"
    # the stock backend's probe needs no counts array of its own, but an output's spikes are always kept
    return "ns" if program.populations[index].name in program.outputs else "n"


def create_arrays(folder: Path, request: Request, program: ChipProgram) -> None:
    """Lay out the result arrays, all zeros (sparse files until written)."""
    np.save(folder / "progress.npy", np.zeros(1, np.int64))
    types: dict[str, type[np.generic]] = {"n": np.int32, "s": np.uint8, "u": np.int32, "v": np.int32}
    for index, population in enumerate(program.populations):
        for letter in recorded_letters(program, index, request):
            steps = () if letter == "n" else (request.steps,)
            shape = (*steps, request.batch, population.size)
            path = folder / f"{letter}{index}.npy"
            array = np.lib.format.open_memmap(  # type: ignore[no-untyped-call,unused-ignore]
                path, mode="w+", dtype=types[letter], shape=shape
            )
            array.flush()


def write_request(folder: Path, request: Request) -> None:
    """Write the request into the job's folder."""
    (folder / REQUEST).write_text(json.dumps(asdict(request)), encoding="utf-8")


def load_job(folder: Path) -> Job:
    """Read a job's folder."""
    request = Request(**json.loads((folder / REQUEST).read_text(encoding="utf-8")))
    return Job(folder, request, load_program(folder / PROGRAM))


def write_fault(folder: Path, layer: str, message: str) -> None:
    """Say which layer failed and why; the first fault wins."""
    target = folder / FAULT
    temporary = folder / f"{FAULT}.{layer.replace('/', '_')}"
    temporary.write_text(json.dumps({"layer": layer, "message": message}), encoding="utf-8")
    if not target.exists():
        temporary.rename(target)
