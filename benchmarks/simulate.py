"""Sample-steps per second of the three backends, measured in turn after checking that all three agree.

    python benchmarks/simulate.py [--rounds 3] [--density 0.1] [--batch 128] [--steps 25]

A dense 784-512-512-10 network with random weights, thresholds set for about the input's density in the hidden layers.
Stock Lava runs one sample after the other, as it does. The rate counts the run itself, from the first step to the last;
what it takes to build each network (Lava: start of all processes) is printed beside it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from exporter.program import ChipProgram, CubaLIF, DenseConnection, InputPort
from exporter.validate import validate
from hardware_profiles.fixed_point import WordWidths
from lava_runtime.result import differences
from lava_runtime.simulate import simulate

SIZES = (784, 512, 512, 10)
BACKENDS = ("stock", "lava", "emulator")


def network(thresholds: list[int]) -> ChipProgram:
    """Dense layers with 8-bit weights drawn from a normal distribution, du 0.5, dv 0.1."""
    rng = np.random.default_rng(0)
    populations, connections, source = [], [], "input"
    for number, (before, after) in enumerate(pairwise(SIZES), start=1):
        name = f"layer{number}"
        constants = {
            "du": 2047,
            "dv": 410,
            "vth": thresholds[number - 1],
            "bias_mant": 0,
            "bias_exp": 0,
            "v_initial": 0,
        }
        filled = {key: np.full(after, value, np.int32) for key, value in constants.items()}
        populations.append(CubaLIF(name, (after,), **filled))
        weights = (np.clip(np.rint(rng.normal(0, 40, (after, before))), -128, 127) * 2).astype(np.int32)
        connections.append(DenseConnection(source, name, weights, 0, "mixed", 8, 1))
        source = name
    inputs = (InputPort("input", SIZES[:1]),)
    return validate(
        ChipProgram("loihi2", WordWidths(), 1e-3, inputs, tuple(populations), tuple(connections), (source,))
    )


def tuned(x: np.ndarray, density: float) -> ChipProgram:
    """The network with each layer's threshold set so that it fires at about the input's density."""
    thresholds = [1500] * (len(SIZES) - 1)
    for layer in range(len(thresholds)):
        low, high = 1, 131071
        while low < high:
            thresholds[layer] = (low + high) // 2
            counts = simulate(network(thresholds), x).neuron_counts[f"layer{layer + 1}"]
            if counts.mean() / len(x) > density:
                low = thresholds[layer] + 1
            else:
                high = thresholds[layer]
        thresholds[layer] = low
    return network(thresholds)


def main() -> int:
    """Run, check, print; 1 if the backends differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--density", type=float, default=0.1)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=25)
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    x = (rng.random((arguments.steps, arguments.batch, SIZES[0])) < arguments.density).astype(np.uint8)
    program = tuned(x, arguments.density)

    checked = {name: simulate(program, x[:, :8], name, record="all") for name in BACKENDS}
    for name in BACKENDS:
        different = differences(checked["stock"], checked[name])
        if different:
            print(f"{name} differs from stock in {', '.join(different)}")
            return 1
    print(f"all three agree on {len(checked['stock'].arrays())} arrays (8 samples, u and v included)")

    rates: dict[str, list[float]] = {name: [] for name in BACKENDS}
    builds: dict[str, list[float]] = {name: [] for name in BACKENDS}
    results = {}
    for _ in range(arguments.rounds):
        for name in BACKENDS:
            result = results[name] = simulate(program, x, name)
            rates[name].append(arguments.steps * arguments.batch / result.seconds["run"])
            builds[name].append(result.seconds["build"])
    if any(differences(results["stock"], results[name]) for name in BACKENDS):
        print("the backends differ on the whole batch")
        return 1
    activity = {k: v.mean() / arguments.steps for k, v in results["stock"].neuron_counts.items()}
    print("activity a step: " + ", ".join(f"{name} {share:.1%}" for name, share in activity.items()))
    base = statistics.median(rates["stock"])
    print(f"{'backend':10}{'sample-steps/s':>16}{'min':>12}{'max':>12}{'x stock':>10}{'build s':>10}")
    for name in BACKENDS:
        middle = statistics.median(rates[name])
        build = statistics.median(builds[name])
        low, high = min(rates[name]), max(rates[name])
        print(f"{name:10}{middle:16,.0f}{low:12,.0f}{high:12,.0f}{middle / base:10.1f}{build:10.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
