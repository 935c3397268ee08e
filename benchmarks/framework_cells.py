"""Every neuron that a framework's exporter can write: are its spikes the same here?

    python benchmarks/framework_cells.py [--frameworks PYTHON] [--older FOLDER] [--docs | --check]

PYTHON: interpreter of the environment with the newest versions; FOLDER: older ones, before them on the path;
`make peers` makes both. Each framework's script, tests/frameworks/cells_NAME.py, makes one network per cell. One row
per cell: in how many places (sample, step, neuron) the output, spikes or voltages, equals the framework's, in floating
point. --docs writes the table into docs/frameworks.md; --check exits with 1 if a row differs from that page.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nir
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import page
from benchmarks.nir_simulator import simulate_nir
from spikeport.common.errors import InputError
from spikeport.common.files import write_text
from spikeport.exporter.compile_options import Reset
from spikeport.exporter.lowering.dialects import get_dialect
from spikeport.exporter.nir_graph.nir_file import NirWarning, read_nir

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "frameworks.md"
HEADINGS = ("framework", "cell", "options here", "newest", "older", "if not equal, why")
# a sum in float32 may be rounded to the other side of a threshold
ENOUGH = 0.9995
DT = 1e-3


@dataclass(frozen=True)
class Framework:
    """A framework's title and package, its cells' options here (--reset), and the reasons why a cell differs.

    late: steps by which its spikes come later there, but for the `prompt` cells.
    """

    title: str
    package: str
    late: int = 0
    resets: Mapping[str, Reset] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    prompt: tuple[str, ...] = ()


FRAMEWORKS: dict[str, Framework] = {
    "snntorch": Framework(
        "snnTorch", "snntorch", 0,
        {"Leaky, reset zero": "zero", "Synaptic, reset zero": "zero", "Leaky, reset_delay False": "subtract"},
        {"Synaptic, reset zero": "there the voltage is 0 in the step after the spike, whatever arrives in it"},
    ),
    "norse": Framework("Norse", "norse"),
    "sinabs": Framework(
        "Sinabs", "sinabs", 0, {"IAF, MembraneReset": "zero"},
        {
            "IAF, MultiSpike": "several spikes per step there, one here",
            "IAF, min_v_mem -1": "the file has no lower bound of the voltage",
            "LIF, norm_input False": "the file does not tell it from True, the default",
            "LIF, tau_syn": "its exporter leaves the synapse out",
            "ExpLeak, norm_input True": "the file does not tell it from False, the default",
        },
    ),
    "spikingjelly": Framework("SpikingJelly", "spikingjelly"),
    "rockpool": Framework("Rockpool", "rockpool", 0, {}, {"LIFTorch, bias": "its exporter writes zeros for the bias"}),
    "spyx": Framework(
        "Spyx", "spyx", 1, {"CuBaLIF": "subtract", "RCuBaLIF": "subtract", "PSU_LIF": "zero"},
        prompt=("PSU_LIF",),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """A cell's share of equal places, or why the framework or this project refuses it; rate: mean of its output."""

    share: float | None
    rate: float = 0.0
    refused: str = ""


def measure(name: str, python: str, before: str = "") -> tuple[str, dict[str, Measured]]:
    """A framework's version in an environment, and each cell's agreement; before: a folder first on its path."""
    framework = FRAMEWORKS[name]
    with tempfile.TemporaryDirectory() as folder:
        _run(before, python, str(ROOT / "tests" / "frameworks" / f"cells_{name}.py"), folder)
        command = f"import importlib.metadata as m; print(m.version({framework.package!r}))"
        version = _run(before, python, "-c", command).strip()
        return version, {cell.name: measure_cell(name, cell) for cell in sorted(Path(folder).iterdir())}


def measure_cell(name: str, folder: Path) -> Measured:
    """One cell's agreement, from the folder that its framework wrote."""
    if (folder / "refused.txt").exists():
        return Measured(None, refused=f"its exporter: {(folder / 'refused.txt').read_text(encoding='utf-8')}")
    dialect = get_dialect(name)
    x, wanted = np.load(folder / "x.npy"), np.load(folder / "out.npy")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NirWarning)
            graph = read_nir(folder / "model.nir")
        graph, dt = dialect.apply(graph, None if dialect.dt else DT)
    except InputError as error:
        return Measured(None, refused=str(error).replace(str(folder), "").lstrip("/"))
    port = next(n for n, node in graph.nodes.items() if isinstance(node, nir.Input))
    reset = FRAMEWORKS[name].resets.get(folder.name, dialect.reset)
    ran = simulate_nir(graph, {port: x}, dt, discretize=dialect.discretize, reset=reset)
    ours = next(iter(ran.outputs.values())).reshape(wanted.shape)
    late = 0 if folder.name in FRAMEWORKS[name].prompt else FRAMEWORKS[name].late
    equal = np.isclose(ours[: len(x) - late], wanted[late:], rtol=1e-4, atol=1e-4)
    return Measured(float(np.mean(equal)), float(wanted.mean()))


def _run(before: str, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": before}
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=900, env=environment)
    if ran.returncode:
        raise RuntimeError(f"{command[1]} ended with {ran.returncode}:\n{ran.stderr[-2000:]}")
    return ran.stdout


def cell_text(measured: Measured | None) -> str:
    """A share as it stands on the page."""
    if measured is None:
        return "-"
    return "refused" if measured.share is None else "equal" if measured.share >= ENOUGH else f"{measured.share:.2%}"


def rows(name: str, newest: Mapping[str, Measured], older: Mapping[str, Measured]) -> list[tuple[str, ...]]:
    """The lines of one framework."""
    framework = FRAMEWORKS[name]
    lines = []
    for cell, measured in newest.items():
        reset = framework.resets.get(cell)
        past = older.get(cell)
        why = "" if cell_text(measured) == "equal" else framework.reasons.get(cell) or measured.refused
        if past is not None and past.refused and not why:
            why = f"older: {past.refused}"
        lines.append((framework.title, cell, f"--reset {reset}" if reset else "", cell_text(measured),
                      cell_text(past), why.replace("|", "/")))  # fmt: skip
    return lines


def main(arguments: Sequence[str]) -> int:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--frameworks", metavar="PYTHON", default=".venv-frameworks/bin/python")
    parser.add_argument("--older", metavar="FOLDER", default=".venv-frameworks/older")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--docs", action="store_true", help="write the table into docs/frameworks.md")
    action.add_argument("--check", action="store_true", help="exit with 1 if a row differs from that page")
    options = parser.parse_args(arguments)
    lines = page_lines(options.frameworks, options.older)
    print("\n".join(lines), flush=True)
    text = PAGE.read_text(encoding="utf-8")
    if options.docs:
        write_text(PAGE, page.written(text, {"cells": lines}))
    different = [line for line in lines if line not in text.splitlines()] if options.check else []
    print("\n".join(f"differs from {PAGE.name}: {line}" for line in different))
    return bool(different)


def page_lines(python: str, older_folder: str) -> list[str]:
    """The versions and the table, as they stand on the page."""
    table: list[tuple[str, ...]] = []
    versions: list[str] = []
    for name, framework in FRAMEWORKS.items():
        version, newest = measure(name, python)
        older_version, older = measure(name, python, older_folder)
        if older_version == version:
            older_version, older = "none", {}
        versions.append(f"{framework.title} {version} ({older_version})")
        table += rows(name, newest, older)
    return [f"Newest (older) versions: {', '.join(versions)}.", "", *page.table(HEADINGS, table)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
