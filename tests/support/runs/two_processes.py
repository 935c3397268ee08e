"""Commands in processes of their own, started and stopped by a test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from places import ROOT


def started(*arguments: object, cwd: Path = ROOT, code: str | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, *(["-m", "spikeport"] if code is None else ["-c", code]), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@contextmanager
def stopped(process: subprocess.Popen[str], seen: Path) -> Any:
    """The process, held by SIGSTOP as soon as a file of it is there."""
    end = time.monotonic() + 300
    try:
        while not seen.exists():
            assert process.poll() is None and time.monotonic() < end, process.communicate()
            time.sleep(0.01)
        process.send_signal(signal.SIGSTOP)
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
