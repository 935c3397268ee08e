"""What a command that has ended may leave: processes and shared memory."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Collection
from pathlib import Path

_SHARED = Path("/dev/shm")


def becomes_true(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Whether a condition holds within that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def processes(temporary: Path) -> dict[int, str]:
    """Running processes whose TMPDIR is that folder, by number with their command lines."""
    mark = f"TMPDIR={temporary}".encode()
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z":
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has ended
            continue
    return found


def shared_memory(numbers: Collection[int], tags: Collection[str]) -> set[str]:
    """Names in /dev/shm that hold one of those process numbers or tags."""
    if not _SHARED.is_dir():
        return set()
    ours = {str(number) for number in numbers}
    return {
        path.name
        for path in _SHARED.iterdir()
        if ours & set(re.findall(r"\d+", path.name)) or any(tag in path.name for tag in tags)
    }
