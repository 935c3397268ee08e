"""How long profiling a recorded run takes, compared with simulating it.

    python benchmarks/profiling.py [--samples 10000] [--rounds 3] [--chip loihi2]
    python benchmarks/profiling.py --model MODEL.chip --input X.npy

The network is `dense` of benchmarks/networks.py (784-512-512-10, a tenth of all neurons spiking, 25 steps) or one of
your own, whose samples are repeated until there are enough. Emulator and profiler run in turn; wall and processor time.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from networks import NETWORKS, tuned
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from spikeport.exporter.program.chip_file import load_program
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.inputs import load_input
from spikeport.lava_runtime.profiling.profile import profile_run
from spikeport.lava_runtime.simulate import simulate


def drawn(samples: int) -> tuple[ChipProgram, NDArray[np.uint8]]:
    """The benchmark network and spikes at its density."""
    network, rng = NETWORKS["dense"], np.random.default_rng(1)
    shape = network.steps, samples, *network.input
    x = (rng.random(shape, dtype=np.float32) < network.density).astype(np.uint8)
    return tuned(network, x[:, :128], network.density), x


def main() -> None:
    """Print seconds of both, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--chip", default="loihi2")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--input", type=Path)
    args = parser.parse_args()
    if args.model is None:
        program, x = drawn(args.samples)
    else:
        program, given = load_program(args.model), load_input(args.input)
        x = np.take(given, np.arange(args.samples) % given.shape[1], axis=1)
    chip = load_chip(args.chip)
    steps = len(x) + program.pipeline_steps
    profile_run(program, simulate(program, x[:, :8], steps=steps, record="layers"), chip, x[:, :8])
    ratios = []
    print(f"{args.samples} samples, {steps} steps, {sum(p.size for p in program.populations)} neurons on {chip.name}")
    print(f"{'simulate s':>12}{'cpu s':>8}{'profile s':>12}{'cpu s':>8}{'ratio':>8}{'of cpu':>8}")
    for _ in range(args.rounds):
        marks = [(time.perf_counter(), time.process_time())]
        result = simulate(program, x, steps=steps, record="layers")
        marks.append((time.perf_counter(), time.process_time()))
        found = profile_run(program, result, chip, x)
        marks.append((time.perf_counter(), time.process_time()))
        (a, a_cpu), (b, b_cpu) = ((m[0] - n[0], m[1] - n[1]) for n, m in pairwise(marks))
        ratios.append((b / a, b_cpu / a_cpu))
        print(f"{a:12.2f}{a_cpu:8.2f}{b:12.3f}{b_cpu:8.3f}{b / a:8.1%}{b_cpu / a_cpu:8.1%}")
        del result
    wall, cpu = (statistics.median(r[i] for r in ratios) for i in range(2))
    print(f"median: profiling takes {wall:.1%} of the simulation, {cpu:.1%} of its processor time")
    print(f"{found.mapping.cores} cores, latency {found.latency.typical:.3g} s, energy {found.energy.typical:.3g} J")


if __name__ == "__main__":
    main()
