"""Supervises the Lava processes: whichever process dies first, all processes and shared memory are cleaned up.

    python -m spikeport.lava_runtime.lava_backend.supervisor FOLDER TAG SECONDS

Starts the worker in its own session, writes the session's number to standard output, and waits until the worker ends, a
layer reports a fault, the time limit passes, or the caller asks for the end (STOP on standard input) or is gone (the
pipe closes). Then kills the whole session, unlinks shared memory of this tag, and without a caller removes the folder.
If it is killed itself, the worker and all of its processes end with it. Imports nothing heavy.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

_POLL_SECONDS = 0.05
TIMED_OUT = 124
STOP = b"stop"
_ENDED = 1


def main(folder: Path, tag: str, limit: float) -> int:
    """Run the worker to its end; returns its exit status, 1 after a fault, 124 after the time limit."""
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # not an exception, which could end the clean-up
        signal.signal(number, lambda received, _: asked.append(received))
    with (folder / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "spikeport.lava_runtime.lava_backend.worker", str(folder), str(os.getpid())],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        with contextlib.suppress(OSError):
            os.write(sys.stdout.fileno(), str(worker.pid).encode())
        return _wait(worker, folder, time.monotonic() + limit, asked)
    finally:
        end_session(worker.pid)
        worker.wait()
        unlink_shared_memory(tag)
        if _asked(0) == b"":
            shutil.rmtree(folder, ignore_errors=True)


def end_session(session: int) -> None:
    """Kill every process of a session (the worker leads it; Lava's processes are its children)."""
    for pid in _members(session):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def unlink_shared_memory(tag: str) -> None:
    """Remove shared memory that a killed run left."""
    for path in Path("/dev/shm").glob(f"*{tag}*"):
        with contextlib.suppress(OSError):
            path.unlink()


def _wait(worker: subprocess.Popen[bytes], folder: Path, deadline: float, asked: list[int]) -> int:
    fault = folder / "fault.json"
    while worker.poll() is None:
        if asked or fault.exists():
            return _ENDED
        if time.monotonic() > deadline:
            return TIMED_OUT
        if _asked(_POLL_SECONDS) is not None:
            return _ENDED
    return worker.returncode


def _asked(seconds: float) -> bytes | None:
    """What the caller asks within that time: STOP to end, nothing (b"") if it is gone, None while it waits."""
    readable, _, _ = select.select([sys.stdin], [], [], seconds)
    return os.read(sys.stdin.fileno(), len(STOP)) if readable else None


def _members(session: int) -> list[int]:
    pids = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # "pid (name) state ppid pgrp session ..."; the name may hold spaces
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session:
                    pids.append(int(entry.name))
    return pids


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
