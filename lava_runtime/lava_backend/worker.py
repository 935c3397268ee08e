"""The Lava child process: reads a job's folder, builds and runs the network, writes the times.

    python -m spikeport.lava_runtime.lava_backend.worker FOLDER SUPERVISOR

SUPERVISOR: the process that started it and that it ends with, together with all processes that Lava forks.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from multiprocessing import process, shared_memory
from pathlib import Path
from typing import Any, NoReturn

from spikeport.common.processes import die_with_parent, forks_die_with_this_process
from spikeport.common.system_errors import system_reason

# capacity of a channel in messages: all are received in the step in which they are sent
CHANNEL_MESSAGES = 4
_NEEDED = "they need shared memory in /dev/shm and several open files per layer (`ulimit -n`)"


def main(folder: Path) -> int:
    """Run a job; 0 on success, 1 with a fault file that names the layer, if it is one's."""
    from .job import SECONDS, load_job, write_fault

    job = load_job(folder)
    keep_files_in(folder)
    name_shared_memory(job.request.tag)
    logging.disable(logging.WARNING)
    start = time.perf_counter()
    try:
        from lava.magma.core.run_conditions import RunSteps
        from lava.magma.core.run_configs import Loihi2SimCfg

        if job.request.backend == "stock":
            first, models, steps = _stock(job)
        else:
            first, models, steps = _batched(job)
        names = {process.id: name for name, process in _names(first)}
        if apart := {p.name for p in job.program.populations} - set(names.values()):
            raise RuntimeError(f"Lava would not run {', '.join(sorted(apart))}: not connected to the others")
        report_faults(folder, names)
        config = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=models)
        first.create_runtime(run_cfg=config, compile_config={"pypy_channel_size": CHANNEL_MESSAGES})
        watch_actors(folder, first.runtime)
        built = time.perf_counter()
        first.run(condition=RunSteps(num_steps=steps))
        done = time.perf_counter()
        first.stop()
    except OSError as error:
        write_fault(folder, "", f"Lava's processes cannot be started ({system_reason(error)}): {_NEEDED}")
        return 1
    except Exception as error:
        write_fault(folder, "network", f"{type(error).__name__}: {error}")
        return 1
    (folder / SECONDS).write_text(json.dumps({"build": built - start, "run": done - built}), encoding="utf-8")
    return 0


def name_shared_memory(tag: str) -> None:
    """Tag the names of this process's shared memory and semaphores, so that the parent can find what is left."""
    shared_memory._SHM_NAME_PREFIX = f"/{tag}_"  # type: ignore[attr-defined]
    # the default of 14 characters is macOS' limit; Linux takes 255
    shared_memory._SHM_SAFE_NAME_LENGTH = len(tag) + 18  # type: ignore[attr-defined]
    process.current_process()._config["semprefix"] = f"/{tag}_sem"  # type: ignore[attr-defined]


def keep_files_in(folder: Path) -> None:
    """Put multiprocessing's sockets into the folder, which is removed even if this process is killed.

    They are named relative to it, because a socket's whole path takes about 100 characters at most.
    """
    os.chdir(folder)
    process.current_process()._config["tempdir"] = "."  # type: ignore[attr-defined]


def report_faults(folder: Path, names: dict[int, str]) -> None:
    """Make every process model report its layer and end when it fails: Lava only counts exceptions, then waits."""
    from lava.magma.core.model.py.model import AbstractPyProcessModel

    from .job import write_fault

    start = AbstractPyProcessModel.start

    def reporting(model: Any) -> None:
        try:
            start(model)
        except Exception as error:
            write_fault(folder, names.get(model.model_id, "network"), f"{type(error).__name__}: {error}")
            # Lava would swallow the exception and end with status 0
            _end_now()

    AbstractPyProcessModel.start = reporting


def watch_actors(folder: Path, runtime: Any) -> None:
    """Report a Lava process that dies silently (out of memory, killed): the others would wait for it forever."""
    from .job import write_fault

    names = [process.name for process in runtime._executable.proc_builders]
    pids = [actor.pid for actor in runtime._messaging_infrastructure.actors]

    def watch() -> None:
        while True:
            for index, pid in enumerate(pids):
                status = exit_status(pid)
                if status:
                    name = names[index] if index < len(names) else "runtime service"
                    hint = ": shared memory, /dev/shm, is full" if status == -signal.SIGBUS else ""
                    write_fault(folder, name, f"its process ended with status {status}{hint}")
                    # the main thread waits for that process forever
                    _end_now()
            time.sleep(0.1)

    threading.Thread(target=watch, daemon=True).start()


def _end_now() -> NoReturn:
    os._exit(1)


def exit_status(pid: int) -> int | None:
    """A child's exit status (negative: the signal that killed it), None while it runs or after it was reaped.

    The child is not reaped here: Lava joins its processes itself.
    """
    try:
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    if ended is None:
        return None
    killed = ended.si_code in (os.CLD_KILLED, os.CLD_DUMPED)
    return -ended.si_status if killed else ended.si_status


def _names(first: Any) -> list[tuple[str, Any]]:
    from lava.magma.compiler.compiler_graphs import find_processes

    return [(process.name, process) for process in find_processes(first)]


def _stock(job: Any) -> tuple[Any, dict[Any, Any], int]:
    from .probe import Probe, probe_model
    from .stock import build

    network = build(job)
    probe = Probe(network, job)
    probe.attach(network)
    return probe, {probe: probe_model(network), **network.models()}, job.request.steps * job.request.batch


def _batched(job: Any) -> tuple[Any, dict[Any, Any], int]:
    from spikeport.lava_runtime.kernels import warm_up

    from .batched import BatchedNetwork

    warm_up({p.KIND: p for p in job.program.populations}.values())
    network = BatchedNetwork(job)
    return next(iter(network.populations.values())), network.models(), network.lava_steps


if __name__ == "__main__":
    die_with_parent(int(sys.argv[2]))
    forks_die_with_this_process()
    sys.exit(main(Path(sys.argv[1])))
