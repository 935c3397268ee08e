"""One worker process against two on a whole test split, in turn, after checking that both write the same bytes.

    python benchmarks/workers.py [--rounds 3] [--samples 10000] [--network NAME]

A worker computes in one thread. The time is that of the whole call: checking the input, running the chunks, writing
the file. Starting the worker processes is printed separately (a small run before starts them). The ratio depends on
the machine's load, which is also printed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.networks import NETWORKS, tuned
from spikeport.lava_runtime.workers import simulate_to_file


def main() -> int:
    """Print the ratio; 1 if the two files differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--network", choices=NETWORKS, default=next(iter(NETWORKS)))
    options = parser.parse_args()
    network, rng = NETWORKS[options.network], np.random.default_rng(1)
    shape = (network.steps, options.samples, *network.input)
    x = (rng.random(shape, dtype=np.float32) < network.density).astype(np.uint8)
    program = tuned(network, x[:, :32], network.density)
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "x.npy", x)
        mapped = np.load(folder / "x.npy", mmap_mode="r")
        for round_number in range(options.rounds):
            for count, found in seconds.items():
                begin = time.perf_counter()
                simulate_to_file(program, mapped[:, :16], folder / "small.npz", workers=count)
                started = time.perf_counter()
                simulate_to_file(program, mapped, folder / f"{count}.npz", workers=count)
                found.append(time.perf_counter() - started)
                print(
                    f"round {round_number + 1}, {count} worker(s): {found[-1]:.2f} s "
                    f"(start-up {started - begin:.2f} s, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)"
                )
        if (folder / "1.npz").read_bytes() != (folder / "2.npz").read_bytes():
            print("the files differ")
            return 1
    ratios = [one / two for one, two in zip(seconds[1], seconds[2], strict=True)]
    print(
        f"{options.samples} samples of {network.steps} steps, the same bytes; two workers are "
        f"{statistics.median(ratios):.2f} x as fast as one (rounds: {', '.join(f'{r:.2f}' for r in ratios)})"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
