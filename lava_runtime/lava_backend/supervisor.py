"""Supervises the Lava processes: whichever process dies first, all processes and shared memory are cleaned up.

    python -m spikeport.lava_runtime.lava_backend.supervisor FOLDER TAG SECONDS

Starts the worker in its own session and waits until the worker ends, a layer reports a fault, the time limit passes, or
its own standard input closes (the caller is gone). Then kills the whole session and unlinks shared memory of this tag.
Imports nothing heavy.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

_POLL_SECONDS = 0.05
_GRACE_SECONDS = 2.0
TIMED_OUT = 124


def main(folder: Path, tag: str, limit: float) -> int:
    """Run the worker to its end; returns its exit status, 1 after a fault, 124 after the time limit."""
    with (folder / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "spikeport.lava_runtime.lava_backend.worker", str(folder)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    (folder / "session").write_text(str(worker.pid), encoding="utf-8")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    try:
        return _wait(worker, folder, time.monotonic() + limit)
    finally:
        end_session(worker.pid)
        worker.wait()
        unlink_shared_memory(tag)


def end_session(session: int) -> None:
    """Kill every process of a session (the worker leads it; Lava's processes are its children)."""
    for pid in _members(session):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def unlink_shared_memory(tag: str) -> None:
    """Remove shared memory that a killed run left."""
    for path in Path("/dev/shm").glob(f"*{tag}*"):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def _wait(worker: subprocess.Popen[bytes], folder: Path, deadline: float) -> int:
    fault = folder / "fault.json"
    while worker.poll() is None:
        if fault.exists():
            return 1
        if time.monotonic() > deadline:
            return TIMED_OUT
        readable, _, _ = select.select([sys.stdin], [], [], _POLL_SECONDS)
        if readable and not os.read(sys.stdin.fileno(), 1):
            return 1
    return worker.returncode


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
