"""Small networks that other frameworks made and exported: do they answer here as they do there?

    python benchmarks/from_frameworks.py [FRAMEWORKS] [LAVA_DL]

FRAMEWORKS and LAVA_DL are the interpreters of environments with the frameworks and with lava-dl, default those that
`make peers` makes. A row a framework: in how many places (sample, step, neuron) the output spikes are the framework's
own, computed in floating point and on loihi2's integers, and on how many samples the same neuron spikes most.

lava-dl has no exporter to NIR in its last release, 0.6.0: its own file, .net, is read, which holds the chip's integers.
Nengo has none in its last release, 4.1.0: the script beside the others writes the NIR file itself.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nir
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from exporter.compile import compile_graph
from exporter.dialects import DIALECTS, Dialect, get_dialect
from exporter.netx.from_net import compile_net
from exporter.nir_file import read_nir
from exporter.nir_simulator import simulate_nir
from exporter.program import ChipProgram
from hardware_profiles.loader import load_chip
from lava_runtime.simulate import simulate

ROOT = Path(__file__).resolve().parent.parent
# the time step of networks whose dialect has none
DT = 1e-3
# steps by which a framework's answer comes later than NIR's equations say
LATE = {"spyx": 2}
NENGO = Dialect("nengo", "4.1.0", "zero", "exponential", 1e-3, "LIF neurons with tau_ref = 0 and no min_voltage")
LAVA_DL = "lava_dl"
NAMES = (*DIALECTS, NENGO.name, LAVA_DL)
VERSIONS = {d.name: d.version for d in (*DIALECTS.values(), NENGO)} | {LAVA_DL: "0.6.0"}


@dataclass(frozen=True)
class Agreement:
    """Shares of one: equal places and equal winners, in floating point and on the chip; rate: spikes a place.

    None in floating point where the framework's file holds integers.
    """

    name: str
    rate: float
    float_places: float | None
    float_winner: float | None
    chip_places: float
    chip_winner: float


def measure(name: str, python: str) -> Agreement:
    """Run a framework's script in its environment, and what it wrote in ours."""
    if name == LAVA_DL:
        return _measure_net(name, python)
    dialect = NENGO if name == NENGO.name else get_dialect(name)
    with _written(name, python) as folder:
        graph, x, wanted = read_nir(folder / "model.nir"), *(np.load(folder / f"{n}.npy") for n in ("x", "spikes"))
    graph, dt = dialect.apply(graph, dialect.dt or DT)
    port = next(n for n, node in graph.nodes.items() if isinstance(node, nir.Input))
    ran = simulate_nir(graph, {port: x}, dt, discretize=dialect.discretize, reset=dialect.reset)
    ours = next(iter(ran.outputs.values())).reshape(wanted.shape)
    program = compile_graph(
        graph, load_chip("loihi2"), dt, where=name, discretize=dialect.discretize, reset=dialect.reset
    )
    chip = _on_chip(program, x, program.latency[program.outputs[0]]).reshape(wanted.shape)
    late = LATE.get(name, 0)
    shares = [share for found in (ours, chip) for share in _shares(found[: len(x) - late], wanted[late:])]
    return Agreement(name, float(wanted.mean()), *shares)


def _measure_net(name: str, python: str) -> Agreement:
    with _written(name, python) as folder:
        program = compile_net(folder / "model.net", load_chip("loihi2"))
        x, wanted = (np.load(folder / f"{n}.npy") for n in ("x", "spikes"))
    # slayer, too, sends a step later from layer to layer
    found = _on_chip(program, x, 0).reshape(wanted.shape)
    return Agreement(name, float(wanted.mean()), None, None, *_shares(found, wanted))


@contextmanager
def _written(name: str, python: str) -> Iterator[Path]:
    """A folder with what a framework's script writes."""
    with tempfile.TemporaryDirectory() as folder:
        script = ROOT / "tests" / "frameworks" / f"{name}_.py"
        subprocess.run([python, str(script), folder], check=True, capture_output=True, timeout=600)
        yield Path(folder)


def _on_chip(program: ChipProgram, x: NDArray[np.generic], start: int) -> NDArray[np.generic]:
    entering = x.reshape(*x.shape[:2], *program.inputs[0].shape)
    output: NDArray[np.generic] = simulate(program, entering, steps=len(x) + start).output[start:]
    return output


def _shares(found: NDArray[np.generic], wanted: NDArray[np.generic]) -> tuple[float, float]:
    places = float(np.mean(found == wanted))
    return places, float(np.mean(found.sum(axis=0).argmax(axis=1) == wanted.sum(axis=0).argmax(axis=1)))


def main(
    frameworks: str = ".venv-frameworks/bin/python", lava_dl: str = ".venv-lava-dl/bin/python"
) -> None:  # fmt: skip
    """Print the table."""
    print("| framework | version | spikes a place | float: equal places | winner | loihi2: equal places | winner |")
    print("|---|---|---|---|---|---|---|")
    for name in NAMES:
        row = measure(name, lava_dl if name == LAVA_DL else frameworks)
        shares = (row.float_places, row.float_winner, row.chip_places, row.chip_winner)
        cells = " | ".join("-" if share is None else f"{share:.2%}" for share in shares)
        print(f"| {name} | {VERSIONS[name]} | {row.rate:.3f} | {cells} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
