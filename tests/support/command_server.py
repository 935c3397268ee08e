"""Runs commands in processes that have imported everything already: importing takes most of a short command's time.

A server imports the command line once and forks for every command: a process of its own, with its own exit status,
as from a shell. Requests and answers are lines of JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

HEAVY = ("numpy", "scipy.sparse", "numba", "torch", "nir", "h5py", "spikeport", "spikeport.commands.cli")


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer {"arguments", "cwd", "environment", "output", "errors"} with the status that os.waitpid gives."""
    import importlib

    for name in HEAVY:
        importlib.import_module(name)
    for line in requests:
        command = os.fork()
        if not command:
            requests.close()
            answers.close()
            _run(json.loads(line))
        _, status = os.waitpid(command, 0)
        answers.write(b"%d\n" % status)
        answers.flush()


def _run(request: dict[str, Any]) -> None:
    """Be the command; ends by SystemExit, so that the interpreter is closed as always."""
    from spikeport.commands import cli

    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    for number, (path, mode) in enumerate(((os.devnull, "rb"), (request["output"], "wb"), (request["errors"], "wb"))):
        with Path(path).open(mode) as file:
            os.dup2(file.fileno(), number)
    sys.argv = [str(cli.__file__), *request["arguments"]]
    sys.exit(cli.main())


if __name__ == "__main__":
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    serve(requests, answers)
