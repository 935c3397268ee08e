"""Runs commands in processes that have imported everything already: importing takes most of a short command's time.

A server imports the whole package once, runs a small network, so that the kernels of its simulation are loaded, and
forks for every command: a process of its own, with its own exit status, as from a shell. Requests and answers are lines
of JSON.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

ROOT = Path(__file__).resolve().parents[2]
# what others import when a training begins: two seconds
LATE = ("torch._dynamo", "sklearn.datasets")
# processes of their own, which a command starts
OWN_PROCESSES = ("spikeport.__main__", "spikeport.lava_runtime.lava_backend")


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer {"arguments", "cwd", "environment", "output", "errors"} with the status that os.waitpid gives."""
    _import_all()
    _load_kernels()
    # what is here stays shared with the commands: their collector would touch, and so copy, all of it
    gc.collect()
    gc.freeze()
    for line in requests:
        command = os.fork()
        if not command:
            requests.close()
            answers.close()
            _run(json.loads(line))
        _, status = os.waitpid(command, 0)
        answers.write(b"%d\n" % status)
        answers.flush()


def _import_all() -> None:
    import spikeport

    found = (module.name for module in pkgutil.walk_packages(spikeport.__path__, "spikeport."))
    for name in (*found, *LATE):
        if not name.startswith(OWN_PROCESSES):
            try:
                importlib.import_module(name)
            except ImportError:  # of an extra that is not installed
                continue


def _load_kernels() -> None:
    import spikeport

    network = spikeport.compile(str(ROOT / "examples" / "digits.nir"), chip="loihi2")
    network.simulate(str(ROOT / "examples" / "digits.npy")).profile()
    assert threading.active_count() == 1, "a thread does not survive a fork"


def _run(request: dict[str, Any]) -> None:
    """Be the command; ends as the interpreter does."""
    from spikeport.commands import cli

    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    for number, (path, mode) in enumerate(((os.devnull, "rb"), (request["output"], "wb"), (request["errors"], "wb"))):
        with Path(path).open(mode) as file:
            os.dup2(file.fileno(), number)
    sys.argv = [str(cli.__file__), *request["arguments"]]
    try:
        sys.exit(cli.main())
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            raise
        _close(end.code or 0)


def _close(code: int) -> None:
    """What Py_FinalizeEx does before it takes the modules apart, which takes longer than most commands."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    serve(requests, answers)
