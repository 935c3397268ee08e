"""How long a simulation runs: until every answer is out, whichever way it is started."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command import spikeport
from programs import dense, spikes

import spikeport as sp
from spikeport.exporter.program.chip_file import save_program
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.profiling.profile import profile_simulated
from spikeport.lava_runtime.simulate import answer_steps, simulate
from spikeport.lava_runtime.workers import simulate_to_file

PROGRAM, X = dense((6, 8, 5, 4), 1), spikes((10, 3, 6), 0.5, 1)
ALL = 13  # of the input, and one for each of the three connections on the way


def test_python_runs_to_the_last_answer(tmp_path: Path) -> None:
    assert answer_steps(PROGRAM, X) == ALL
    assert simulate(PROGRAM, X).steps == ALL
    assert simulate_to_file(PROGRAM, X, tmp_path / "out.npz").steps == ALL
    assert profile_simulated(PROGRAM, X, load_chip("loihi2")).steps == ALL
    save_program(PROGRAM, tmp_path / "m.chip")
    run = sp.load(tmp_path / "m.chip").simulate(X)
    assert (run.result.steps, run.missing_steps) == (ALL, 0)
    # a step more holds no answer to the input that these do not
    longer = simulate(PROGRAM, np.concatenate([X, 0 * X]))
    np.testing.assert_array_equal(longer.output[:ALL], run.spikes)
    assert simulate(PROGRAM, X, steps=4).steps == 4


@pytest.mark.lava
@pytest.mark.parametrize("backend", ["lava", "stock"])
def test_every_backend_runs_as_long(backend: str) -> None:
    found = simulate(PROGRAM, X, backend, record="all")  # type: ignore[arg-type]
    np.testing.assert_array_equal(found.output, simulate(PROGRAM, X).output)
    assert found.steps == ALL


@pytest.mark.parametrize("how", [(), ("--workers", "1")])
def test_the_command_runs_to_the_last_answer_or_as_long_as_it_is_asked_to(tmp_path: Path, how: tuple[str, ...]) -> None:
    save_program(PROGRAM, tmp_path / "m.chip")
    np.save(tmp_path / "x.npy", X)
    for asked, steps, missing in (((), ALL, 0), (("--steps", "4"), 4, ALL - 4)):
        command = ("simulate", "m.chip", "--input", "x.npy", "-o", "out.npz", *how, *asked, "--json")
        found = json.loads(spikeport(*command, cwd=tmp_path).stdout)
        assert (found["steps"], found["missing_steps"]) == (steps, missing)
        with np.load(tmp_path / "out.npz") as arrays:
            np.testing.assert_array_equal(arrays["spikes"], simulate(PROGRAM, X, steps=steps).output)
