"""Small networks that other frameworks made and exported by their own exporters: do they answer here as they do there?

    python benchmarks/from_frameworks.py PYTHON [NAME ...]

PYTHON is the interpreter of an environment with the frameworks (`make peers`: .venv-frameworks/bin/python). A row a
framework: in how many places (sample, step, neuron) the output spikes are the framework's own, computed in floating
point and on loihi2's integers, and on how many samples the same neuron spikes most.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nir
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from exporter.compile import compile_graph
from exporter.dialects import DIALECTS, get_dialect
from exporter.nir_file import read_nir
from exporter.nir_simulator import simulate_nir
from hardware_profiles.loader import load_chip
from lava_runtime.simulate import simulate

ROOT = Path(__file__).resolve().parent.parent
# the time step of networks whose dialect has none
DT = 1e-3
# steps by which a framework's answer comes later than NIR's equations say
LATE = {"spyx": 2}


@dataclass(frozen=True)
class Agreement:
    """Shares of one: equal places and equal winners, in floating point and on the chip; rate: spikes a place."""

    name: str
    rate: float
    float_places: float
    float_winner: float
    chip_places: float
    chip_winner: float


def measure(name: str, python: str) -> Agreement:
    """Run a framework's script in its environment, and what it wrote in ours."""
    with tempfile.TemporaryDirectory() as folder:
        script = ROOT / "tests" / "frameworks" / f"{name}_.py"
        subprocess.run([python, str(script), folder], check=True, capture_output=True, timeout=600)
        graph, x, wanted = read_nir(f"{folder}/model.nir"), *(np.load(f"{folder}/{n}.npy") for n in ("x", "spikes"))
    dialect = get_dialect(name)
    graph, dt = dialect.apply(graph, dialect.dt or DT)
    port = next(n for n, node in graph.nodes.items() if isinstance(node, nir.Input))
    ran = simulate_nir(graph, {port: x}, dt, discretize=dialect.discretize, reset=dialect.reset)
    ours = next(iter(ran.outputs.values())).reshape(wanted.shape)
    program = compile_graph(
        graph, load_chip("loihi2"), dt, where=name, discretize=dialect.discretize, reset=dialect.reset
    )
    start = program.latency[program.outputs[0]]
    entering = x.reshape(*x.shape[:2], *program.inputs[0].shape)
    chip = simulate(program, entering, steps=len(x) + start).output[start:].reshape(wanted.shape)
    late = LATE.get(name, 0)
    shares = [share for found in (ours, chip) for share in _shares(found[: len(x) - late], wanted[late:])]
    return Agreement(name, float(wanted.mean()), *shares)


def _shares(found: NDArray[np.generic], wanted: NDArray[np.generic]) -> tuple[float, float]:
    places = float(np.mean(found == wanted))
    return places, float(np.mean(found.sum(axis=0).argmax(axis=1) == wanted.sum(axis=0).argmax(axis=1)))


def main(python: str, names: list[str]) -> None:
    """Print the table."""
    print("| framework | version | spikes a place | float: equal places | winner | loihi2: equal places | winner |")
    print("|---|---|---|---|---|---|---|")
    for name in names or list(DIALECTS):
        row = measure(name, python)
        shares = (row.float_places, row.float_winner, row.chip_places, row.chip_winner)
        cells = " | ".join(f"{share:.2%}" for share in shares)
        print(f"| {name} | {DIALECTS[name].version} | {row.rate:.3f} | {cells} |")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
