"""Child processes that end with the process that started them, however that one ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

# Linux, <sys/prctl.h>
_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.2


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when `parent`, the process that started it, ends; Linux only.

    The parent must have started it from a thread that lasts as long as itself, because the kernel watches that thread.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        _end_without(parent)


def forks_die_with_this_process() -> None:
    """Apply `die_with_parent` to all processes that this one forks from now on, and those that they fork."""
    parent = [os.getpid()]

    def remember() -> None:
        parent[0] = os.getpid()

    os.register_at_fork(before=remember, after_in_child=lambda: die_with_parent(parent[0]))


def watch_parent(parent: int, clean_up: Callable[[], None]) -> None:
    """Clean up and end this process soon after `parent`, by a thread that looks: for a parent with passing threads."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        clean_up()
        os._exit(1)

    threading.Thread(target=watch, name="spikeport-parent", daemon=True).start()


def _end_without(parent: int) -> None:
    if os.getppid() != parent:
        os._exit(1)
