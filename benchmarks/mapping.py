"""Cores of published networks, ours next to the vendor's, and how long mapping takes.

    python benchmarks/mapping.py                       the table
    python benchmarks/mapping.py --out docs/mapping.md writes it between that page's marks
    python benchmarks/mapping.py --time 1000000        maps that many neurons of 100 synapses each and prints the time

Networks are rebuilt by shape from benchmarks/published_mappings.py; only the width of the weights matters, not their
values.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from published_mappings import CASES, Case
from rich.console import Console
from rich.table import Table

from benchmarks.page import table, written
from spikeport.common.files import write_text
from spikeport.exporter.mapping import Mapping, map_program
from spikeport.exporter.program.chip_program import ChipProgram, CubaLIF, InputPort, SparseConnection
from spikeport.hardware_profiles import load_chip
from spikeport.hardware_profiles.fixed_point import WordWidths

HEADINGS = ("network", "chip", "theirs", "ours", "difference", "their layers", "our layers", "source")
FAN_IN, AXONS = 100, 1000


@dataclass(frozen=True)
class Compared:
    """A published mapping and ours of the same network."""

    case: Case
    mapping: Mapping

    @property
    def difference(self) -> float:
        """Cores that ours takes more, as a fraction of theirs."""
        return self.mapping.cores / self.case.published - 1


def compared() -> list[Compared]:
    """Every case mapped."""
    return [Compared(case, map_program(case.program(), load_chip(case.chip))) for case in CASES]


def row(found: Compared) -> tuple[str, ...]:
    """One line of the table."""
    case = found.case
    ours = " + ".join(str(layer.cores) for layer in found.mapping.layers)
    theirs = " + ".join(map(str, case.layers)) or "not published"
    return (
        case.title, case.chip, str(case.published), str(found.mapping.cores), f"{found.difference:+.0%}", theirs, ours,
        case.source,
    )  # fmt: skip


def summary(all_found: list[Compared]) -> str:
    """How far, in a sentence."""
    near = sum(abs(found.difference) <= 0.25 for found in all_found)
    return f"{near} of {len(all_found)} networks within 25 % of the published number of cores."


def markdown(all_found: list[Compared]) -> dict[str, list[str]]:
    """The text between the page's marks."""
    reasons = [f"- {found.case.title}: {found.case.reason}." for found in all_found]
    return {"summary": [summary(all_found)], "table": table(HEADINGS, map(row, all_found)), "reasons": reasons}


def random_network(neurons: int) -> ChipProgram:
    """One recurrent population: each neuron has one source in every hundredth of it, and one input."""
    rng = np.random.default_rng(0)
    part = neurons // FAN_IN
    indices = rng.integers(0, part, (neurons, FAN_IN), dtype=np.int32)
    indices += np.arange(FAN_IN, dtype=np.int32) * np.int32(part)
    none = np.zeros(neurons, np.int32)
    layer = CubaLIF("all", (neurons,), du=none, dv=none, vth=none + 100, bias_mant=none, bias_exp=none, v_initial=none)
    recurrent = SparseConnection(
        "all", "all", np.ones(neurons * FAN_IN, np.int32), 0, "excitatory", 8, 1, indices=indices.reshape(-1),
        indptr=np.arange(0, neurons * FAN_IN + 1, FAN_IN),
    )  # fmt: skip
    entry = SparseConnection(
        "in", "all", np.ones(neurons, np.int32), 0, "excitatory", 8, 1,
        indices=rng.integers(0, AXONS, neurons, dtype=np.int32), indptr=np.arange(neurons + 1),
    )  # fmt: skip
    ports = (InputPort("in", (AXONS,)),)
    return ChipProgram("loihi2", WordWidths(), 1e-3, ports, (layer,), (recurrent, entry), ("all",))


def timed(neurons: int) -> str:
    """How long the mapping of a random network takes."""
    program, chip = random_network(neurons), load_chip("loihi2_hala_point")
    map_program(random_network(1000), chip)
    begin, processor = time.perf_counter(), time.process_time()
    mapping = map_program(program, chip)
    seconds, processor = time.perf_counter() - begin, time.process_time() - processor
    synapses = sum(len(c.weights) for c in program.connections)
    return (
        f"{neurons:,} neurons, {synapses:,} synapses: {mapping.cores:,} cores on {mapping.chips} chips of "
        f"{mapping.board.chips}, {'fits' if mapping.fits else 'does not fit'}; {seconds:.1f} s, {processor:.1f} s of "
        "processor time"
    )


def main() -> None:
    """Print or write the table, or print the time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="the page to bring up to date")
    parser.add_argument("--time", type=int, metavar="NEURONS", help="map a random network of that size")
    options = parser.parse_args()
    if options.time:
        print(timed(options.time))
        return
    found = compared()
    if options.out:
        write_text(options.out, written(options.out.read_text(encoding="utf-8"), markdown(found)))
        return
    shown = Table(*HEADINGS)
    for one in found:
        shown.add_row(*row(one))
    console = Console(width=200)
    console.print(shown)
    console.print(summary(found), highlight=False)


if __name__ == "__main__":
    main()
