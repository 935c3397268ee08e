"""A pool of worker processes on this machine that leaves nothing behind, however it ends."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import get_context

import joblib
from joblib.externals.loky import get_reusable_executor

from spikeport.common.errors import InputError, reason
from spikeport.common.processes import watch_parent
from spikeport.common.system_errors import system_reason
from spikeport.common.temporary import temporary_folder


@contextmanager
def local_pool(workers: int) -> Iterator[joblib.Parallel]:
    """Processes of one thread each, whose temporary files lie in a folder that this process removes.

    joblib kills a worker with all processes below it, so that those cannot remove their own files. Raises InputError
    where the system allows no worker processes: joblib would go on in this one.
    """
    if workers > 1:
        _check_semaphores(workers)
    with temporary_folder() as scratch:
        finished = False
        try:
            with joblib.parallel_config(
                backend="loky", n_jobs=workers, inner_max_num_threads=1, initializer=_begin_worker,
                initargs=(os.getpid(), str(scratch)),
            ):  # fmt: skip
                # one chunk at a time per worker, so that little is lost with it
                yield joblib.Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs")
            finished = True
        finally:
            # joblib runs a pool of one in this process
            if workers > 1:
                with suppress(OSError):
                    get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=not finished)


def _check_semaphores(workers: int) -> None:
    try:
        get_context("spawn").Lock()
    except (OSError, ImportError) as error:
        why = system_reason(error) if isinstance(error, OSError) else reason(error)
        raise InputError(
            f"--workers {workers}: worker processes need semaphores in /dev/shm ({why}); mount it to be written, or "
            "leave out --workers"
        ) from error


def _begin_worker(parent: int, scratch: str) -> None:
    os.environ["TMPDIR"] = tempfile.tempdir = scratch
    # a worker that waits for work does not notice by itself that its parent was killed
    watch_parent(parent, partial(shutil.rmtree, scratch, ignore_errors=True))
