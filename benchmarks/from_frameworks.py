"""Small networks built and exported by other frameworks: are their answers the same here?

    python benchmarks/from_frameworks.py [--frameworks PYTHON] [--lava-dl PYTHON] [--docs | --check]

PYTHON: interpreters of environments with the frameworks and with lava-dl, by default those that `make peers` creates.
One row per framework: in how many places (sample, step, neuron) the output spikes equal the framework's, in floating
point and on loihi2's integers, and on how many samples the same neuron spikes most. --docs writes the table into
docs/frameworks.md; --check exits with 1 if a network agrees less than on that page (`make frameworks`, in CI).

lava-dl has no exporter to NIR in its last release, 0.6.0: its own .net file is read, which contains the chip's
integers. Nengo has none in its last release, 4.1.0: its script writes the NIR file itself.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nir
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import page
from benchmarks.nir_simulator import simulate_nir
from spikeport.common.files import write_text
from spikeport.exporter.compile import compile_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.lowering.dialects import Dialect, get_dialect
from spikeport.exporter.netx.from_net import compile_net
from spikeport.exporter.nir_graph.nir_file import NirWarning, read_nir
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles.loader import load_chip
from spikeport.lava_runtime.simulate import simulate

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "frameworks.md"
HEADINGS = (
    "framework", "version", "spikes per place", "float: equal places", "same winner",
    "loihi2, 8 bits: equal places", "same winner",
)  # fmt: skip
INTEGERS = "integers already"
# time step of networks whose dialect has none
DT = 1e-3
# another processor may round a sum differently: a few places of 16,000, one winner of 64
SLACK_PLACES, SLACK_WINNERS, SLACK_RATE = 0.0005, 0.016, 0.002
NENGO = Dialect("nengo", "4.1.0", "zero", "exponential", 1e-3, "LIF neurons with tau_ref = 0 and no min_voltage")


@dataclass(frozen=True)
class Case:
    """One network: its name on the page, the script that builds it, and its dialect.

    dialect: None where the file is lava-dl's; late: steps by which the framework's answer lags NIR's
    equations.
    """

    title: str
    script: str
    dialect: Dialect | None
    arguments: tuple[str, ...] = ()
    late: int = 0

    @property
    def version(self) -> str:
        """The framework version that builds the network."""
        return "0.6.0" if self.dialect is None else self.dialect.version


CASES: dict[str, Case] = {
    "snntorch": Case("snnTorch", "snntorch_", get_dialect("snntorch")),
    "norse": Case("Norse", "norse_", get_dialect("norse")),
    "sinabs": Case("Sinabs", "sinabs_", get_dialect("sinabs")),
    "sinabs_single": Case("Sinabs, SingleSpike", "sinabs_", get_dialect("sinabs"), ("single",)),
    "spikingjelly": Case("SpikingJelly", "spikingjelly_", get_dialect("spikingjelly")),
    "rockpool": Case("Rockpool", "rockpool_", get_dialect("rockpool")),
    "spyx": Case("Spyx", "spyx_", get_dialect("spyx"), late=2),
    "nengo": Case("Nengo", "nengo_", NENGO),
    "lava_dl": Case("lava-dl (`.net`)", "lava_dl_", None),
}


@dataclass(frozen=True)
class Agreement:
    """Shares of one: equal places and equal winners, in floating point and on the chip; rate: spikes per place.

    None in floating point if the framework's file contains integers.
    """

    rate: float
    float_places: float | None
    float_winner: float | None
    chip_places: float
    chip_winner: float


def measure(name: str, python: str) -> Agreement:
    """Run a framework's script in its environment, and its exported network in ours."""
    case = CASES[name]
    if case.dialect is None:
        return _measure_net(case, python)
    dialect = case.dialect
    with _written(case, python) as folder, warnings.catch_warnings():
        # shapes that exporters leave out or keep from a batch of one
        warnings.simplefilter("ignore", NirWarning)
        graph, x, wanted = read_nir(folder / "model.nir"), *(np.load(folder / f"{n}.npy") for n in ("x", "spikes"))
    graph, dt = dialect.apply(graph, dialect.dt or DT)
    port = next(n for n, node in graph.nodes.items() if isinstance(node, nir.Input))
    ran = simulate_nir(graph, {port: x}, dt, discretize=dialect.discretize, reset=dialect.reset)
    ours = next(iter(ran.outputs.values())).reshape(wanted.shape)
    options = CompileOptions(dt, discretize=dialect.discretize, reset=dialect.reset)
    program = compile_graph(graph, load_chip("loihi2"), options, name)
    chip = _on_chip(program, x, program.latency[program.outputs[0]]).reshape(wanted.shape)
    shares = [s for found in (ours, chip) for s in _shares(found[: len(x) - case.late], wanted[case.late :])]
    return Agreement(float(wanted.mean()), *shares)


def _measure_net(case: Case, python: str) -> Agreement:
    with _written(case, python) as folder:
        program = compile_net(folder / "model.net", load_chip("loihi2"))
        x, wanted = (np.load(folder / f"{n}.npy") for n in ("x", "spikes"))
    # slayer also sends one step later from layer to layer
    found = _on_chip(program, x, 0).reshape(wanted.shape)
    return Agreement(float(wanted.mean()), None, None, *_shares(found, wanted))


@contextmanager
def _written(case: Case, python: str) -> Iterator[Path]:
    """A folder with the output of a framework's script."""
    with tempfile.TemporaryDirectory() as folder:
        script = ROOT / "tests" / "frameworks" / f"{case.script}.py"
        command = [python, str(script), folder, *case.arguments]
        ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
        if ran.returncode:
            raise RuntimeError(f"{script.name} ended with {ran.returncode}:\n{ran.stderr[-2000:]}")
        yield Path(folder)


def _on_chip(program: ChipProgram, x: NDArray[np.generic], start: int) -> NDArray[np.generic]:
    entering = x.reshape(*x.shape[:2], *program.inputs[0].shape)
    output: NDArray[np.generic] = simulate(program, entering, steps=len(x) + start).output[start:]
    return output


def _shares(found: NDArray[np.generic], wanted: NDArray[np.generic]) -> tuple[float, float]:
    places = float(np.mean(found == wanted))
    return places, float(np.mean(found.sum(axis=0).argmax(axis=1) == wanted.sum(axis=0).argmax(axis=1)))


def row(name: str, found: Agreement) -> tuple[str, ...]:
    """A line of the page's table."""
    shares = (found.float_places, found.float_winner, found.chip_places, found.chip_winner)
    cells = (INTEGERS if share is None else f"{share:.2%}" for share in shares)
    return (CASES[name].title, CASES[name].version, f"{found.rate:.3f}", *cells)


def claims(text: str) -> dict[str, Agreement]:
    """The values of a page's table, by the name of the case; raises KeyError for a case that the page leaves out."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    by_title = {cells[0]: cells[2:] for cells in lines if len(cells) == len(HEADINGS)}
    return {name: _claim(by_title[case.title]) for name, case in CASES.items()}


def _claim(cells: Sequence[str]) -> Agreement:
    rate, *shares = cells
    in_floats = [None if share == INTEGERS else _share(share) for share in shares[:2]]
    return Agreement(float(rate), *in_floats, *map(_share, shares[2:]))


def _share(cell: str) -> float:
    return float(cell.rstrip("%")) / 100


def worse(name: str, found: Agreement, claimed: Agreement) -> list[str]:
    """A sentence for each share below the page's, and for a network with another spike rate."""
    said = []
    for field, slack in (
        ("float_places", SLACK_PLACES), ("float_winner", SLACK_WINNERS),
        ("chip_places", SLACK_PLACES), ("chip_winner", SLACK_WINNERS),
    ):  # fmt: skip
        here, there = getattr(found, field), getattr(claimed, field)
        if there is not None and (here is None or here < there - slack):
            said.append(f"{name}: {field} is {here}, {PAGE.name} has {there:.4f}")
    if abs(found.rate - claimed.rate) > SLACK_RATE:
        said.append(f"{name}: {found.rate:.4f} spikes per place, {PAGE.name} has {claimed.rate:.3f}")
    return said


def main(arguments: Sequence[str]) -> int:
    """Print the table, write it into the page, or compare it with the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--frameworks", metavar="PYTHON", default=".venv-frameworks/bin/python")
    parser.add_argument("--lava-dl", metavar="PYTHON", default=".venv-lava-dl/bin/python")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--docs", action="store_true", help="write the table into docs/frameworks.md")
    what.add_argument("--check", action="store_true", help="exit with 1 if a network agrees less than on that page")
    said = parser.parse_args(arguments)
    found = {n: measure(n, said.frameworks if case.dialect else said.lava_dl) for n, case in CASES.items()}
    table = page.table(HEADINGS, (row(name, agreement) for name, agreement in found.items()))
    print("\n".join(table), flush=True)
    text = PAGE.read_text(encoding="utf-8")
    if said.docs:
        write_text(PAGE, page.written(text, {"agreement": table}))
    if not said.check:
        return 0
    missed = [line for name, claimed in claims(text).items() for line in worse(name, found[name], claimed)]
    print("\n".join(missed) or f"every network agrees as in {PAGE.relative_to(ROOT)}")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
