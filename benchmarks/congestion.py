"""The time of a step on a crowded mesh, compared with a simulator that follows every message cycle by cycle.

    python benchmarks/congestion.py                        the table
    python benchmarks/congestion.py --out docs/mapping.md  writes it between that page's marks

SANA-FE (GPL-3) with its cycle-level mesh runs in a process of its own, with the Python that SPIKEPORT_SANAFE names, or
that of .venv-sanafe (`make referees`). Every case is a layer whose neurons all spike in every step, placed by hand on
loihi1's mesh, and the cores that it sends to. Both times are without the barrier, which depends on the tiles in use.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console
from rich.table import Table

from benchmarks.page import table, written
from spikeport.common.files import write_text
from spikeport.exporter.mapping.board import compact_order
from spikeport.exporter.mapping.build_mapping import manual_mapping
from spikeport.exporter.mapping.model import Slice
from spikeport.exporter.program.chip_program import ChipProgram, CubaLIF, DenseConnection, InputPort
from spikeport.hardware_profiles import load_chip
from spikeport.hardware_profiles.fixed_point import WordWidths
from spikeport.lava_runtime.profiling.bound import Bound, bound_of
from spikeport.lava_runtime.profiling.profile import profile_run
from spikeport.lava_runtime.simulate import simulate

ROOT = Path(__file__).resolve().parent.parent
PYTHON = Path(os.environ.get("SPIKEPORT_SANAFE", ROOT / ".venv-sanafe" / "bin" / "python"))
REFEREE = ROOT / "tests" / "support" / "referees" / "sanafe_mesh.py"
COLUMNS, ROWS, PER_ROUTER = 8, 4, 4
HEADINGS = ("case", "messages on the busiest link", "bound", "estimate", "cycle by cycle", "ratio")
Router = tuple[int, int]


@dataclass(frozen=True)
class Case:
    """Every core at `senders` has `neurons` that spike, each sent to every core at `receivers`, of one neuron each.

    no receivers: the senders send to one another.
    """

    title: str
    senders: tuple[Router, ...]
    receivers: tuple[Router, ...]
    neurons: int


def _row(columns: range, *rows: int) -> tuple[Router, ...]:
    return tuple((x, y) for x in columns for y in rows)


CASES = (
    Case("half a row to the other half of the chip", _row(range(4), 0), _row(range(4, 8), 0, 1, 2, 3), 4),
    Case("a quarter of a row to the rest of it", _row(range(2), 0), _row(range(2, 8), 0), 10),
    Case("two rows through one column", _row(range(8), 0), _row(range(3, 5), 1, 2, 3), 6),
    Case("one router to a row", _row(range(1), 0), _row(range(1, 8), 0), 20),
    Case("every other column to its neighbour", _row(range(0, 8, 2), 1), _row(range(1, 8, 2), 2), 10),
    Case("half a row to one router", _row(range(4), 0), ((5, 3),), 10),
    Case("a row to itself", _row(range(8), 1), (), 4),
)


@dataclass(frozen=True)
class Compared:
    """Seconds of a step without the barrier: the model's and the simulator's, and what limits it by the model."""

    case: Case
    messages: float
    bound: Bound
    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        """Estimate divided by the simulator's time."""
        return self.ours / self.theirs


def estimated(case: Case) -> tuple[float, float, Bound]:
    """Seconds of a step without the barrier, messages on the busiest link, and the bound, by the model."""
    chip, program = load_chip("loihi1"), _program(case)
    cores = {"send": (_cores(case.senders), case.neurons), "receive": (_cores(case.receivers), 1)}
    slices = {
        int(core): (Slice(p.name, n * each, (n + 1) * each - 1, ("dense",)),)
        for p in program.populations
        for numbers, each in [cores[p.name]]
        for n, core in enumerate(numbers)
    }
    x = np.zeros((1, 1, 1), np.uint8)
    result = simulate(program, x, steps=1, record="layers")
    line = profile_run(program, result, chip, x, manual_mapping(program, chip, slices)).timeline
    return line.latency.typical - chip.time.step_minimum.value, float(line.carried.max()), bound_of(line, chip)


def simulated(cases: Sequence[Case]) -> list[float]:
    """The same by SANA-FE, cycle by cycle."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}.npz" for number in range(len(cases))]
        for case, file in zip(cases, files, strict=True):
            np.savez(file, **_network(case))  # type: ignore[arg-type]
        command = [str(PYTHON), str(REFEREE), *map(str, files)]
        found = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    return [one["seconds"] - one["barrier"] for one in json.loads(found.stdout.splitlines()[-1])]


def compared(cases: Sequence[Case] = CASES) -> list[Compared]:
    """Every case by both."""
    both = zip(cases, map(estimated, cases), simulated(cases), strict=True)
    return [Compared(case, messages, bound, ours, theirs) for case, (ours, messages, bound), theirs in both]


def _program(case: Case) -> ChipProgram:
    size, receivers = case.neurons * PER_ROUTER * len(case.senders), PER_ROUTER * len(case.receivers)
    populations = [_neurons("send", size, bias=4000)]
    target = "send"
    if receivers:
        populations.append(_neurons("receive", receivers, bias=0))
        target = "receive"
    weights = np.zeros((receivers or size, size), np.int32)
    entry = DenseConnection("input", "send", np.zeros((size, 1), np.int32), 0, "mixed", 8, 1)
    connections = (entry, DenseConnection("send", target, weights, 0, "mixed", 8, 1))
    ports = (InputPort("input", (1,)),)
    return ChipProgram("loihi1", WordWidths(message_bits=0), 1e-3, ports, tuple(populations), connections, (target,))


def _neurons(name: str, size: int, bias: int) -> CubaLIF:
    return CubaLIF.of(name, (size,), du=4095, dv=0, vth=10, bias_mant=bias, bias_exp=0, v_initial=0)


def _cores(routers: tuple[Router, ...]) -> NDArray[np.int64]:
    """Numbers of the cores at routers, as spikeport numbers them."""
    order = compact_order(COLUMNS, ROWS)
    return np.array([order.index(r) * PER_ROUTER + k for r in routers for k in range(PER_ROUTER)], np.int64)


def _network(case: Case) -> dict[str, NDArray[np.int64]]:
    """The same network for the referee, whose tiles are numbered column by column."""
    sending = [(x * ROWS + y) * PER_ROUTER + k for x, y in case.senders for k in range(PER_ROUTER)]
    receiving = [(x * ROWS + y) * PER_ROUTER + k for x, y in case.receivers for k in range(PER_ROUTER)]
    core = np.concatenate([np.repeat(sending, case.neurons), receiving]).astype(np.int64)
    spiking = np.arange(len(core)) < len(sending) * case.neurons
    targets = np.flatnonzero(~spiking) if receiving else np.flatnonzero(spiking)
    pairs = np.stack(np.meshgrid(np.flatnonzero(spiking), targets, indexing="ij"), axis=-1).reshape(-1, 2)
    return {"core": core, "spiking": spiking.astype(np.int64), "pairs": pairs}


def row(found: Compared) -> tuple[str, ...]:
    """One line of the table."""
    micro = 1e6
    return (
        found.case.title, f"{found.messages:,.0f}", found.bound.kind, f"{found.ours * micro:.2f} us",
        f"{found.theirs * micro:.2f} us", f"{found.ratio:.2f}",
    )  # fmt: skip


def main() -> None:
    """Print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="the page to bring up to date")
    options = parser.parse_args()
    found = compared()
    if options.out:
        text = written(options.out.read_text(encoding="utf-8"), {"congestion": table(HEADINGS, map(row, found))})
        write_text(options.out, text)
        return
    shown = Table(*HEADINGS)
    for one in found:
        shown.add_row(*row(one))
    Console(width=160).print(shown)


if __name__ == "__main__":
    main()
