"""The command line as a user calls it, and what a refusal looks like."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import nir
import numpy as np
from places import ROOT

# set in the tests' own process by what they import: pytest, OpenMP's users (scikit-learn) and torch's compiler
_OF_LIBRARIES = ("PYTEST_", "KMP_", "TORCHINDUCTOR_")
# read by the package when a command runs, not when it is imported
_READ_WHEN_RUN = ("SPIKEPORT_", "WORLD_SIZE")


def _environment(site: Path | None = None) -> dict[str, str]:
    here = {name: value for name, value in os.environ.items() if not name.startswith(_OF_LIBRARIES)}
    path = os.pathsep.join(str(folder) for folder in (ROOT, site) if folder is not None)
    return {**here, "PYTHONPATH": path, "COLUMNS": "200"}


def _when_imported() -> dict[str, str]:
    return {name: value for name, value in _environment().items() if not name.startswith(_READ_WHEN_RUN)}


# what a command may read while it is imported is that of the whole test run
_WHEN_IMPORTED = _when_imported()


def spikeport(
    *arguments: object, cwd: Path = ROOT, limit: float = 400, site: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, which is forked from one that has imported everything, if it can be.

    site: a folder of packages that are installed for it; the process that it is forked from ends with `forget(site)`.
    """
    environment = _environment(site)
    command = [sys.executable, "-m", "spikeport.commands.cli", *map(str, arguments)]
    if _when_imported() == _WHEN_IMPORTED:
        return _forked(command, cwd, site, limit)
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=limit, check=False)


def _forked(command: list[str], cwd: Path, site: Path | None, limit: float) -> subprocess.CompletedProcess[str]:
    server = _server(site)
    assert server.stdin is not None and server.stdout is not None
    with tempfile.TemporaryDirectory(prefix="spikeport-test-") as folder:
        output, errors = Path(folder) / "output", Path(folder) / "errors"
        request = {
            "arguments": command[3:], "cwd": str(cwd), "environment": _environment(site), "output": str(output),
            "errors": str(errors),
        }  # fmt: skip
        server.stdin.write(json.dumps(request).encode() + b"\n")
        server.stdin.flush()
        if not select.select([server.stdout], [], [], limit)[0]:
            os.killpg(server.pid, signal.SIGKILL)
            _server.cache_clear()
            raise subprocess.TimeoutExpired(command, limit)
        code = os.waitstatus_to_exitcode(int(server.stdout.readline()))
        return subprocess.CompletedProcess(command, code, output.read_text(), errors.read_text())


def forget(site: Path) -> None:
    """End the process that the commands of this folder's packages are forked from."""
    server = _server(site)
    assert server.stdin is not None and server.stdout is not None
    server.stdin.close()
    server.wait()
    server.stdout.close()


@cache
def _server(site: Path | None) -> subprocess.Popen[bytes]:
    """Ends with the tests: its requests end then."""
    script = Path(__file__).with_name("command_server.py")
    return subprocess.Popen(
        [sys.executable, str(script)], env=_environment(site), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip


def refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit 2, one sentence on standard error that says these words, no traceback."""
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
    for word in words:
        assert word in lines[0]


def graph(weight: float = 0.5) -> nir.NIRGraph:
    one = np.ones(4)
    nodes = {
        "input": nir.Input(input_type={"input": np.array([6])}),
        "fc": nir.Affine(weight=np.full((4, 6), weight), bias=np.zeros(4)),
        "lif": nir.LIF(tau=0.01 * one, r=10 * one, v_leak=0 * one, v_threshold=one, v_reset=0 * one),
        "output": nir.Output(output_type={"output": np.array([4])}),
    }
    edges = [("input", "fc"), ("fc", "lif"), ("lif", "output")]
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata={"dt": 1e-3})
