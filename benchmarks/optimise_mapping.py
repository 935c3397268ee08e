"""Mappings chosen by the cost model, compared with the fewest cores: time and energy of an inference, profiled.

    python benchmarks/optimise_mapping.py                        the table
    python benchmarks/optimise_mapping.py --out docs/mapping.md  writes it between that page's marks

Networks are those of benchmarks/networks.py: random weights, every layer firing at one density. Rates are measured on
one half of the samples, the mappings are profiled on the other. Spikes and synaptic operations are the same on all.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from networks import NETWORKS, tuned

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console
from rich.table import Table

from benchmarks.page import table, written
from spikeport.common.files import write_text
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.partition.optimise import Goal, optimised_mapping
from spikeport.lava_runtime.partition.rates import measured_rates
from spikeport.lava_runtime.profiling.bound import bound_of
from spikeport.lava_runtime.profiling.profile import Profile, profile_run
from spikeport.lava_runtime.simulate import simulate
from spikeport.report.units import si

TITLES = {"nmnist": "N-MNIST CNN", "pilot": "PilotNet", "dense": "MNIST 784-512-512-10"}
GOALS: tuple[Goal, ...] = ("cores", "time", "energy")
HEADINGS = ("network", "for", "cores", "latency", "faster by", "energy", "less by", "bound")
CHIP, SAMPLES, STEPS = "loihi2", 4, 12


@dataclass(frozen=True)
class Optimised:
    """A network on a mapping; by: the kind of its bound."""

    network: str
    goal: Goal
    profile: Profile
    by: str


def optimised(network: str, samples: int = SAMPLES) -> Iterator[Optimised]:
    """The profiles of one network on every mapping."""
    spec, chip, rng = NETWORKS[network], load_chip(CHIP), np.random.default_rng(1)
    x = (rng.random((STEPS, samples, *spec.input), dtype=np.float32) < spec.density).astype(np.uint8)
    program = tuned(spec, x, spec.density)
    seen, unseen = x[:, : samples // 2], x[:, samples // 2 :]
    steps = STEPS + program.pipeline_steps
    rates = measured_rates(program, simulate(program, seen, steps=steps).neuron_counts, steps)
    result = simulate(program, unseen, steps=steps, record="layers")
    for goal in GOALS:
        profile = profile_run(program, result, chip, unseen, optimised_mapping(program, chip, goal, rates))
        yield Optimised(network, goal, profile, bound_of(profile.timeline, chip).kind)


def row(found: Optimised, fewest: Optimised) -> tuple[str, ...]:
    """One line of the table."""
    profile, base = found.profile, fewest.profile
    faster, less = base.latency.typical / profile.latency.typical, base.energy.typical / profile.energy.typical
    return (
        TITLES[found.network], found.goal, str(profile.mapping.cores), si(profile.latency.typical, "s"),
        f"{faster:.1f}", si(profile.energy.typical, "J"), f"{less:.2f}", found.by,
    )  # fmt: skip


def rows() -> Iterator[tuple[str, ...]]:
    """The table, network by network."""
    for network in TITLES:
        all_found = list(optimised(network))
        yield from (row(found, all_found[0]) for found in all_found)


def main() -> None:
    """Print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="the page to bring up to date")
    options = parser.parse_args()
    found = list(rows())
    if options.out:
        text = written(options.out.read_text(encoding="utf-8"), {"optimised": table(HEADINGS, found)})
        write_text(options.out, text)
        return
    shown = Table(*HEADINGS)
    for one in found:
        shown.add_row(*one)
    Console(width=160).print(shown)


if __name__ == "__main__":
    main()
