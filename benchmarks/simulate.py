"""Sample-steps per second of the three backends, measured in turn after checking that all three agree.

    python benchmarks/simulate.py [dense sparse nmnist pilot recurrent] [--rounds 3] [--peers PYTHON] [--device cuda]

The networks are those of benchmarks/networks.py: random weights, thresholds set so that every layer fires at the
input's density. Stock Lava runs one sample after the other, and therefore only the first samples and steps of the
others' input. The rate counts the run itself, from the first step to the last; the time to build each network (Lava:
to start all processes) is printed next to it. Runs of a few milliseconds are repeated for half a second per round. The
load is that of the whole machine: above its number of cores the rates mean little. Processor time depends less on other
programs: that of all processes of a run, less that of one step of one sample, per sample-step; omitted where the
start-up dominates.

--device cuda: the emulator on a GPU beside the one on the CPU, without Lava.
--peers PYTHON: an interpreter that has brian2-loihi or nengo-loihi (benchmarks/peers.py), for the same table.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.networks import NETWORKS, Network, tuned
from benchmarks.peers import run_peers
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.lava_runtime.result import Record, SimulationResult, differences
from spikeport.lava_runtime.simulate import Backend, simulate

BACKENDS: tuple[Backend, ...] = ("stock", "lava", "emulator")
ON_GPU = "emulator, cuda"
LIMIT_SECONDS = 3600.0
REPEATED_SECONDS = 0.5
# the share of the processor time of starting that a run must take at least
VISIBLE = 0.2


@dataclass
class Timed:
    """Rates (sample-steps per second) and build seconds of every run; per round, processor seconds per sample-step."""

    rates: list[float] = field(default_factory=list)
    builds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def run(self, program: ChipProgram, x: NDArray[np.uint8], backend: str) -> SimulationResult:
        """Run once more, short runs repeatedly."""
        begin = processor_seconds()
        simulated(program, x[:1, :1], backend)
        start = processor_seconds() - begin
        begin, first, runs = processor_seconds(), time.perf_counter(), 0
        while runs == 0 or time.perf_counter() - first < REPEATED_SECONDS:
            result = simulated(program, x, backend)
            number = result.steps * result.batch
            self.rates.append(number / result.seconds["run"])
            self.builds.append(result.seconds["build"])
            runs += 1
        used = (processor_seconds() - begin) / runs - start
        if used > VISIBLE * start:
            self.processor.append(used / (number - 1))
        return result


def processor_seconds() -> float:
    """Of this process and of the children it has waited for, theirs included."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def simulated(program: ChipProgram, x: NDArray[np.uint8], name: str, record: Record = "spikes") -> SimulationResult:
    """A run by a backend, or by the emulator on a GPU."""
    backend: Any = "emulator" if name == ON_GPU else name
    device = "cuda" if name == ON_GPU else "cpu"
    return simulate(program, x, backend, record=record, limit_seconds=LIMIT_SECONDS, device=device)


def check(program: ChipProgram, few: NDArray[np.uint8], names: tuple[str, ...]) -> None:
    """Refuse to time backends whose arrays differ, states included."""
    found = {name: simulated(program, few, name, "all") for name in names}
    for name in names:
        different = differences(found[names[0]], found[name])
        if different:
            sys.exit(f"{name} differs from {names[0]} in {', '.join(different)}")
    print(f"all agree on {len(found[names[0]].arrays())} arrays of {few.shape[1]} samples and {len(few)} steps")


def measure(
    program: ChipProgram, x: NDArray[np.uint8], few: NDArray[np.uint8], rounds: int, names: tuple[str, ...]
) -> dict[str, Timed]:
    """All backends in turn, round by round."""
    timed = {name: Timed() for name in names}
    for _ in range(rounds):
        results = {}
        for name in names:
            given = few if name == "stock" else x
            results[name] = timed[name].run(program, given, name)
        other = names[1]
        if differences(results["emulator"], results[other]):
            sys.exit(f"{other} and emulator differ on the whole batch")
    activity = {k: v.mean() / len(x) for k, v in results["emulator"].neuron_counts.items()}
    print("activity per step: " + ", ".join(f"{name} {share:.1%}" for name, share in activity.items()))
    return timed


def table(timed: dict[str, Timed]) -> None:
    """Print medians and the ratio to stock."""
    first = next(iter(timed))
    base = statistics.median(timed[first].rates)
    print(
        f"{'':22}{'sample-steps/s':>16}{'min':>13}{'max':>13}{'x ' + first:>12}{'build s':>9}{'cpu us':>11}"
        f"{'x ' + first:>12}"
    )
    for name, t in timed.items():
        middle, build = statistics.median(t.rates), statistics.median(t.builds)
        line = f"{name:22}{middle:16,.1f}{min(t.rates):13,.1f}{max(t.rates):13,.1f}{middle / base:12.1f}{build:9.2f}"
        if t.processor and timed[first].processor:
            used = statistics.median(t.processor)
            line += f"{1e6 * used:11,.1f}{statistics.median(timed[first].processor) / used:12.1f}"
        print(line)


def benchmark(name: str, network: Network, rounds: int, peers: str | None, names: tuple[str, ...]) -> None:
    """One network's table."""
    rng = np.random.default_rng(1)
    x = (rng.random((network.steps, network.batch, *network.input)) < network.density).astype(np.uint8)
    samples, steps = network.stock
    program = tuned(network, x[:, : min(network.batch, 32)], network.density)
    neurons, load = sum(p.size for p in program.populations), os.getloadavg()[0]
    print(f"\n{name}: {neurons:,} neurons, batch {network.batch}, {network.steps} steps, load {load:.1f}")
    few = np.ascontiguousarray(x[:steps, :samples])
    check(program, few, names)
    timed = measure(program, x, few, rounds, names)
    if peers is not None:
        for peer, result in run_peers(peers, program, few, rounds).items():
            if isinstance(result, str):
                print(f"{peer}: omitted, {result}")
            else:
                timed[peer] = Timed(result.rates, result.builds)
                print(f"{peer}: {result.remark}")
    table(timed)


def main() -> None:
    """Run, check, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=", ".join(NETWORKS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", metavar="PYTHON")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments = parser.parse_args()
    unknown = set(arguments.networks) - set(NETWORKS)
    if unknown:
        parser.error(f"no network {', '.join(unknown)}; there are {', '.join(NETWORKS)}")
    for name in arguments.networks or NETWORKS:
        names: tuple[str, ...] = BACKENDS if arguments.device == "cpu" else ("emulator", ON_GPU)
        benchmark(name, NETWORKS[name], arguments.rounds, arguments.peers, names)


if __name__ == "__main__":
    main()
