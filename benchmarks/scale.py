"""Time and memory as a network grows: neurons of 100 random synapses each, 1 % of them active in every step.

    python benchmarks/scale.py [--neurons 10000 100000 1000000] [--steps 100] [--limit-gib 16]

Each size runs in a process of its own: a float network with one recurrent sparse population is drawn, compiled
(quantised and checked) and simulated by the emulator, one sample. Next to the time per step is one thread's processor
time, which depends less on other programs. Memory is the process' peak, Python and its libraries included. The exponent
is the slope of a line through the logarithms, from the first size to the last. At the first size the emulator is
compared with stock Lava, if Lava is there.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from spikeport.exporter.float_network.float_network import FloatConnection, FloatNetwork, FloatPopulation
from spikeport.exporter.program.chip_program import ChipProgram, InputPort
from spikeport.exporter.quantisation.quantise import quantise
from spikeport.hardware_profiles.fixed_point import WordWidths
from spikeport.lava_runtime.lava_backend.child import lava_missing
from spikeport.lava_runtime.result import differences
from spikeport.lava_runtime.simulate import simulate

FAN_IN = 100
AXONS = 1000
ACTIVITY = 0.01
GIB = 1 << 30


def network(neurons: int) -> FloatNetwork:
    """Every neuron is driven by its bias to spike once in 100 steps, and receives input from 100 others."""
    rng = np.random.default_rng(0)
    ones = np.ones(neurons)
    population = FloatPopulation(
        "all", (neurons,), current_decay=ones, voltage_decay=0 * ones, threshold=ones, bias=ACTIVITY * ones,
        v_initial=rng.random(neurons),
    )  # fmt: skip
    return FloatNetwork(
        1e-3,
        (InputPort("input", (AXONS,)),),
        (population,),
        (
            FloatConnection("all", "all", _matrix(neurons, neurons, FAN_IN, rng), None, 1),
            FloatConnection("input", "all", _matrix(neurons, AXONS, 1, rng), None, 1),
        ),
        ("all",),
    )


def _matrix(targets: int, sources: int, fan_in: int, rng: np.random.Generator) -> csr_array:
    """One source out of each of `fan_in` equal parts, for every target."""
    part = sources // fan_in
    indices = rng.integers(0, part, (targets, fan_in), dtype=np.int32)
    indices += np.arange(fan_in, dtype=np.int32) * np.int32(part)
    weights = rng.standard_normal(targets * fan_in, dtype=np.float32).astype(np.float64) * 1e-3
    pointers = np.arange(0, targets * fan_in + 1, fan_in)
    return csr_array((weights, indices.reshape(-1), pointers), shape=(targets, sources))


def compiled(neurons: int) -> ChipProgram:
    """The network in 8 bits; the chip's limit on synapses per core does not matter here."""
    return quantise(network(neurons), "loihi2", WordWidths())


def run_one(neurons: int, steps: int, compare: bool) -> dict[str, float | str]:
    """Results of one size."""
    begin = time.perf_counter()
    program = compiled(neurons)
    compile_seconds = time.perf_counter() - begin
    x = (np.random.default_rng(1).random((steps, 1, AXONS)) < ACTIVITY).astype(np.uint8)
    result = simulate(program, x)
    figures: dict[str, float | str] = {
        "neurons": neurons,
        "synapses": sum(int(np.count_nonzero(c.weights)) for c in program.connections),
        "activity": float(result.neuron_counts["all"].mean()) / steps,
        "compile": compile_seconds,
        "build": result.seconds["build"],
        "step": result.seconds["run"] / steps,
        "cpu": _processor_seconds_a_step(program, x),
        "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    if compare:
        missing = lava_missing()
        differing = missing or differences(*(simulate(program, x[:20], b, record="all") for b in ("emulator", "stock")))
        figures["compared"] = missing or ("differs from stock in " + ", ".join(differing) if differing else "equal")
    return figures


def _processor_seconds_a_step(program: ChipProgram, x: NDArray[np.uint8]) -> float:
    """Between the first block of steps and the last, in one thread: the least of three runs."""
    found = []
    for _ in range(3):
        marks: list[tuple[int, float]] = []

        def note(done: int, _: int, marks: list[tuple[int, float]] = marks) -> None:
            marks.append((done, time.process_time()))

        simulate(program, x, progress=note, threads=1)
        (first, begin), (last, end) = marks[0], marks[-1]
        found.append((end - begin) / (last - first))
    return min(found)


def slope(rows: list[dict[str, float]], key: str) -> float:
    """Exponent of growth with the number of neurons."""
    values = np.log([[row["neurons"], row[key]] for row in rows])
    return float(np.polyfit(values[:, 0], values[:, 1], 1)[0])


def main() -> int:
    """Print the table; 1 where a result differs or the memory is over the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neurons", type=int, nargs="+", default=[10_000, 31_623, 100_000, 316_228, 1_000_000])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--limit-gib", type=float, default=16)
    parser.add_argument("--one", action="store_true", help="this size in this process, as JSON")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(run_one(arguments.neurons[0], arguments.steps, len(arguments.neurons) > 1)))
        return 0
    rows = []
    columns = {"neurons": 10, "synapses": 14, "active": 8, "compile s": 11, "build s": 9, "ms/step": 11, "cpu ms": 8}
    print("".join(f"{name:>{width}}" for name, width in columns.items()) + f"{'GiB':>7}")
    for number, size in enumerate(arguments.neurons):
        # a second size asks for the comparison
        sizes = [str(size)] * (2 if number == 0 else 1)
        command = [sys.executable, __file__, "--one", "--steps", str(arguments.steps), "--neurons", *sizes]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        row = json.loads(done.stdout.splitlines()[-1])
        rows.append(row)
        print(
            f"{row['neurons']:10,}{row['synapses']:14,}{row['activity']:8.2%}{row['compile']:11.1f}{row['build']:9.1f}"
            f"{1e3 * row['step']:11.3f}{1e3 * row['cpu']:8.3f}{row['bytes'] / GIB:7.2f}", flush=True,
        )  # fmt: skip
    print(f"at {rows[0]['neurons']:,} neurons against stock Lava: {rows[0]['compared']}")
    if len(rows) > 1:
        exponents = {name: slope(rows, key) for name, key in (("time", "step"), ("cpu", "cpu"), ("memory", "bytes"))}
        print("exponents: " + ", ".join(f"{name} {value:.2f}" for name, value in exponents.items()))
    return int(rows[0]["compared"].startswith("differs") or rows[-1]["bytes"] > arguments.limit_gib * GIB)


if __name__ == "__main__":
    sys.exit(main())
