"""Runs Lava in a child process with a time limit and progress, and cleans up after it."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import BackendError, InputError
from spikeport.common.temporary import is_full, no_room, temporary_folder
from spikeport.exporter.program.chip_file import save_program
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.lava_runtime.inputs import is_graded
from spikeport.lava_runtime.result import Record, Recording, SimulationResult, collect

from .job import FAULT, PROGRAM, SECONDS, Job, Request, create_arrays, shared_progress, write_request
from .supervisor import STOP, TIMED_OUT, end_session, unlink_shared_memory

_POLL_SECONDS = 0.05
_GRACE_SECONDS = 10


def lava_missing() -> str | None:
    """Why Lava cannot be used here, in one sentence, or None."""
    if sys.version_info[:2] != (3, 10):
        version = ".".join(map(str, sys.version_info[:2]))
        return f"Lava runs on Python 3.10 only and this is {version}; use --backend emulator, which gives equal arrays"
    if importlib.util.find_spec("lava") is None:
        return "Lava is not installed; install spikeport[lava], or use --backend emulator, which gives equal arrays"
    return None


def run_lava(
    program: ChipProgram,
    inputs: dict[str, NDArray[Any]],
    steps: int,
    backend: str,
    record: Record,
    limit_seconds: float,
    progress: Callable[[int, int], None] | None = None,
) -> SimulationResult:
    """Run a program on backend `stock` or `lava`; raises BackendError that names the failed layer."""
    missing = lava_missing()
    if missing:
        raise BackendError(f"backend {backend}: {missing}")
    batch = next(iter(inputs.values())).shape[1]
    request = Request(backend, steps, batch, record, f"spikeport{uuid.uuid4().hex[:12]}")
    with temporary_folder() as folder:
        try:
            return _run(folder, request, program, inputs, limit_seconds, progress)
        except FileNotFoundError as error:
            if folder.exists():
                raise
            raise BackendError(_vanished(folder, backend)) from error


def _run(
    folder: Path,
    request: Request,
    program: ChipProgram,
    inputs: dict[str, NDArray[Any]],
    limit_seconds: float,
    progress: Callable[[int, int], None] | None,
) -> SimulationResult:
    _write_job(folder, request, program, inputs)
    total = request.steps * request.batch if request.backend == "stock" else request.steps
    status = _supervise(folder, request.tag, limit_seconds, total, progress)
    if status != 0:
        raise BackendError(_fault(folder, request.backend, status, limit_seconds))
    return _collect(Job(folder, request, program), inputs)


def _write_job(folder: Path, request: Request, program: ChipProgram, inputs: dict[str, NDArray[Any]]) -> None:
    try:
        save_program(program, folder / PROGRAM)
        for index, port in enumerate(program.inputs):
            values = inputs[port.name]
            kind = np.int32 if is_graded(values) else np.uint8
            np.save(folder / f"input{index}.npy", np.ascontiguousarray(values, dtype=kind))
        create_arrays(folder, request, program)
        write_request(folder, request)
    except OSError as error:
        raise BackendError(f"backend {request.backend}: {no_room(folder, error)}") from error
    except InputError as error:
        cause = error.__cause__
        if not isinstance(cause, OSError):
            raise
        raise BackendError(f"backend {request.backend}: {no_room(folder, cause)}") from error


def _supervise(folder: Path, tag: str, limit: float, total: int, progress: Callable[[int, int], None] | None) -> int:
    # the folder of the package: not resolved, because in a checkout spikeport/lava_runtime is a link
    package_folder, python_path = str(Path(__file__).absolute().parents[3]), os.environ.get("PYTHONPATH")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([package_folder, python_path] if python_path else [package_folder]),
    }
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "spikeport.lava_runtime.lava_backend.supervisor", str(folder), tag, str(limit)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        start_new_session=True, env=environment,
    )  # fmt: skip
    try:
        done = shared_progress(folder)
        while supervisor.poll() is None:
            if progress is not None:
                progress(int(done[0]), total)
            time.sleep(_POLL_SECONDS)
        return supervisor.returncode
    finally:
        _end(supervisor, tag)


def _end(supervisor: subprocess.Popen[bytes], tag: str) -> None:
    """End the supervisor, which ends all processes; if it was killed, they are ended here."""
    assert supervisor.stdin is not None
    assert supervisor.stdout is not None
    # the pipe stays open until it has ended: a closed one tells it that this process is gone
    with contextlib.suppress(OSError):
        supervisor.stdin.write(STOP)
        supervisor.stdin.flush()
    with contextlib.suppress(subprocess.TimeoutExpired):
        supervisor.wait(timeout=_GRACE_SECONDS)
    supervisor.kill()
    supervisor.wait()
    with contextlib.suppress(OSError):
        supervisor.stdin.close()
    # the session's number comes by a pipe, which no one can remove, as they could a file
    with supervisor.stdout as pipe:
        session = pipe.read()
    if session and supervisor.returncode != 0:
        end_session(int(session))
        unlink_shared_memory(tag)


def _fault(folder: Path, backend: str, status: int, limit: float) -> str:
    if not folder.exists():
        return _vanished(folder, backend)
    if (folder / FAULT).exists():
        fault = json.loads((folder / FAULT).read_text(encoding="utf-8"))
        message = " ".join(str(fault["message"]).split())
        if not fault["layer"]:
            return f"backend {backend}: {message}; correct that, or use --backend emulator"
        return f"backend {backend}: layer {fault['layer']!r} failed ({message}); try --backend emulator"
    if status == TIMED_OUT:
        return (
            f"backend {backend}: not done after {limit:.0f} s and stopped; give more time with --time-limit, "
            "fewer samples, or use --backend emulator"
        )
    if is_full(folder):
        return f"backend {backend}: {no_room(folder)}"
    log = (folder / "worker.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    last = f" ({log[-1]})" if log else ""
    return (
        f"backend {backend}: the Lava process ended with status {status}{last}; everything was cleaned up, run it again"
    )


def _vanished(folder: Path, backend: str) -> str:
    return (
        f"backend {backend}: {folder} was removed during the run; run it again, with TMPDIR set to a folder that "
        "nothing empties"
    )


def _collect(job: Job, inputs: dict[str, NDArray[Any]]) -> SimulationResult:
    recorded: dict[str, Recording] = {}
    for index, population in enumerate(job.program.populations):
        arrays = {name: np.array(values) for name, values in job.arrays(index).items()}
        recorded[population.name] = Recording(arrays.pop("n"), arrays.pop("s", None), arrays)
    seconds = json.loads((job.folder / SECONDS).read_text(encoding="utf-8"))
    return collect(job.program, inputs, job.request.steps, recorded, seconds, job.request.record)
