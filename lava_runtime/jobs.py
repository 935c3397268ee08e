"""Jobs of a simulation in threads: their common progress, and their end if one fails or the user interrupts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

Progress = Callable[[int, int], None]


class Report:
    """Counts the steps of all groups for the progress display, and tells groups to stop."""

    def __init__(self, progress: Progress | None, steps: int, batch: int) -> None:
        self._progress, self._total, self._done = progress, steps * batch, 0
        self._lock = threading.Lock()
        self.stopped = False

    def advance(self, samples: int) -> None:
        """Add steps of samples that are done."""
        if self._progress is not None:
            with self._lock:
                self._done += samples
                self._progress(self._done, self._total)

    def stop(self) -> None:
        """Tell all jobs to stop."""
        self.stopped = True


def run_jobs(jobs: Sequence[Callable[[], None]], report: Report) -> None:
    """Run each job in a thread of its own, a single one in this; the first error stops the others and is raised."""
    if len(jobs) == 1:
        jobs[0]()
        return
    with ThreadPoolExecutor(len(jobs)) as pool:
        try:
            list(pool.map(lambda job: job(), jobs))
        except BaseException:
            report.stop()
            raise
