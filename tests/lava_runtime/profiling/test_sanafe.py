"""The profiler against SANA-FE, an independent simulator of Loihi: same network, same spikes, same counts, same joules.

SANA-FE is GPL-3 and stays out of the project: it runs in a process of its own, with the Python that the environment
variable SPIKEPORT_SANAFE names (an environment with `pip install sanafe`), or that of .venv-sanafe (`make referees`).
"""

from __future__ import annotations

import json
import os
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from places import ROOT

from benchmarks.cost_model.validation import with_constants
from spikeport.exporter.program.chip_program import ChipProgram, CubaLIF, DenseConnection, InputPort
from spikeport.exporter.program.validate import validate
from spikeport.hardware_profiles import load_chip
from spikeport.hardware_profiles.fixed_point import WordWidths
from spikeport.lava_runtime.profiling.profile import Profile, profile_run
from spikeport.lava_runtime.simulate import simulate

PYTHON = Path(os.environ.get("SPIKEPORT_SANAFE", ROOT / ".venv-sanafe" / "bin" / "python"))
SIZES = (60, 80, 50, 10)
STEPS = 40

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(),
    reason="SANA-FE is not in .venv-sanafe (make referees), and SPIKEPORT_SANAFE names no Python that has it",
)


def integrators(name: str, vth: NDArray[np.int32]) -> CubaLIF:
    """Neurons without memory of current and without leak: v is the sum of the weights, in units of 64."""
    none = np.zeros(len(vth), np.int32)
    full = np.full(len(vth), 4095, np.int32)
    return CubaLIF(name, (len(vth),), du=full, dv=none, vth=vth, bias_mant=none, bias_exp=none, v_initial=none)


def network(rng: np.random.Generator) -> ChipProgram:
    populations, connections, source = [], [], "in"
    for number, (before, after) in enumerate(pairwise(SIZES)):
        name = f"layer{number}"
        # no more thresholds than a core holds, so that a layer is one core here as it is there
        thresholds = rng.integers(300, 900, 4, dtype=np.int32)
        populations.append(integrators(name, rng.choice(thresholds, after)))
        weights = (rng.integers(-30, 50, (after, before)) * 2).astype(np.int32)
        connections.append(DenseConnection(source, name, weights, 0, "mixed", 8, 1))
        source = name
    widths = WordWidths(message_bits=0)
    inputs = (InputPort("in", (SIZES[0],)),)
    return validate(ChipProgram("loihi1", widths, 1e-3, inputs, tuple(populations), tuple(connections), (source,)))


def run_sanafe(program: ChipProgram, x: NDArray[np.uint8], folder: Path) -> dict[str, Any]:
    arrays = {f"w{n}": c.weights for n, c in enumerate(program.connections)}
    arrays |= {f"vth{n}": p.vth for n, p in enumerate(program.populations)}
    np.savez(folder / "network.npz", x=x[:, 0].astype(bool), steps=STEPS, **arrays)
    command = [str(PYTHON), str(ROOT / "tests" / "support" / "referees" / "sanafe_run.py"), str(folder / "network.npz")]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert found.returncode == 0, found.stderr
    result: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return result


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Profile, dict[str, Any]]:
    rng = np.random.default_rng(5)
    program = network(rng)
    x = np.zeros((STEPS, 1, SIZES[0]), np.uint8)
    x[: STEPS - 5] = rng.random((STEPS - 5, 1, SIZES[0])) < 0.2
    result = simulate(program, x, steps=STEPS, record="all")
    chip = load_chip("loihi1")
    # inputs cost nothing in SANA-FE, and its layers lie on the cores of one tile
    spike_free = with_constants(chip, {"energy.hop": 1e-30})
    assert all(layer.spikes > 20 for layer in profile_run(program, result, chip).layers)
    return profile_run(program, result, spike_free, x), run_sanafe(program, x, tmp_path_factory.mktemp("sanafe"))  # type: ignore[arg-type]


def test_counts_are_equal(both: tuple[Profile, dict[str, Any]]) -> None:
    ours, theirs = both
    names = {"in": "inputs"}
    assert {names.get(layer.name, layer.name): round(layer.spikes, 6) for layer in ours.layers} == theirs["spikes"]
    assert ours.total("synops") == pytest.approx(theirs["perf"]["spikes"], rel=1e-12)
    assert ours.total("messages") == pytest.approx(theirs["messages"], rel=1e-12)
    inputs = ours.layers[0].spikes
    # theirs counts a neuron whose input adds up to nothing as updated, ours does not
    assert ours.events.updates_active.typical == pytest.approx(theirs["perf"]["updated"] - inputs, rel=1e-3)


def test_energy_is_theirs_with_their_constants(both: tuple[Profile, dict[str, Any]]) -> None:
    ours, theirs = both
    cost = load_chip("loihi1").energy
    without_inputs = ours.dynamic.typical - ours.layers[0].spikes * cost.spike.value
    assert without_inputs == pytest.approx(theirs["energy"]["total"], rel=0.01)
    synops = sum(layer.synops for layer in ours.layers) * cost.synop.value
    assert synops == pytest.approx(theirs["energy"]["synapse"], rel=1e-6)


def test_time_is_near_theirs(both: tuple[Profile, dict[str, Any]]) -> None:
    ours, theirs = both
    # theirs simulates the mesh message by message; ours is a mean per core and step
    assert ours.latency.typical == pytest.approx(theirs["time"], rel=0.5)
