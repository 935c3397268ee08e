"""Speed of the emulator of Xylo against xylosim, the vendor's simulator, at batch 128, in turn in one process.

    python benchmarks/xylo.py [--batch 128] [--steps 100] [--repeats 3]

xylosim runs one sample after the other; only its evolve() is timed, not the making of its layer nor the reading of what
it recorded. The emulator is timed as a whole, on one thread, with every current and voltage recorded as xylosim does,
and without. Times are the process's own (CPU), so that what else a machine does matters little.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from spikeport.exporter.xylo.specification import XyloSpecification, program_of, specification_of
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.simulate import simulate
from spikeport.lava_runtime.xylo.vendor import VendorLayer

SIZES = ((16, 63, 8), (16, 256, 8), (16, 1000, 8))


def specification(inputs: int, hidden: int, outputs: int, seed: int = 0) -> XyloSpecification:
    """A network of 32 recurrent synapses a neuron whose neurons send at some percent of the steps."""
    random = np.random.default_rng(seed)
    reached = random.random((hidden, hidden)) < min(0.5, 32 / hidden)
    for row in reached:
        row[np.flatnonzero(row)[64:]] = False
    recurrent = random.integers(-40, 41, (hidden, hidden, 2)) * reached[..., None]
    recurrent[..., 1] = 0
    w_in = random.integers(-60, 64, (inputs, hidden, 2))
    w_in[..., 1] = 0

    def all_of(value: int, size: int) -> np.ndarray:
        return np.full(size, value, np.int32)

    return XyloSpecification(
        w_in.astype(np.int32), recurrent.astype(np.int32), random.integers(-60, 61, (hidden, outputs)).astype(np.int32),
        all_of(4, hidden), all_of(2, hidden), all_of(2, hidden), all_of(600, hidden), all_of(0, hidden),
        all_of(-1, hidden), all_of(4, outputs), all_of(2, outputs), all_of(600, outputs), all_of(0, outputs),
    )  # fmt: skip


def main() -> None:
    """Measure every size."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print("| inputs, hidden, outputs | xylosim ms | emulator ms | ratio | all recorded ms | ratio | rate |")
    for sizes in SIZES:
        program = program_of(specification(*sizes), load_chip("xylo_audio2"))
        random = np.random.default_rng(1)
        x = (random.random((options.steps, options.batch, sizes[0])) < 0.1).astype(np.uint8)
        samples = [x[:, b].tolist() for b in range(options.batch)]
        simulate(program, x)
        theirs, plain, recorded = [], [], []
        for _ in range(options.repeats):
            vendor = VendorLayer(specification_of(program))
            layer = vendor.layer()
            start = time.process_time()
            for sample in samples:
                layer.reset_all()
                layer.evolve(sample)
            theirs.append(time.process_time() - start)
            start = time.process_time()
            result = simulate(program, x, steps=options.steps, threads=1)
            plain.append(time.process_time() - start)
            start = time.process_time()
            simulate(program, x, steps=options.steps, record="all", threads=1)
            recorded.append(time.process_time() - start)
        rate = result.neuron_counts["hidden"].mean() / options.steps
        t, p, r = (1000 * min(times) for times in (theirs, plain, recorded))
        print(f"| {sizes} | {t:,.0f} | {p:,.1f} | {t / p:,.0f} | {r:,.1f} | {t / r:,.0f} | {rate:.1%} |")


if __name__ == "__main__":
    main()
