"""Memory of one training step over a long sequence, whole and in recomputed segments (gradient checkpointing).

    OMP_NUM_THREADS=1 python benchmarks/train_memory.py [--steps 1000] [--stretch 32]

Dense 700-256-256-20 of CUBA-LIF neurons, batch 32: the increase of the largest resident memory in a process of its own,
in which freed memory is returned to the system at once. Counts and gradients are the same
(tests/trainer/loop/test_gradient_checkpointing.py).
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time

import torch

from spikeport.trainer.loop.gradient_checkpointing import count_spikes
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig, build_network

BATCH, INPUTS, CLASSES = 32, 700, 20


def main() -> None:
    """Print one line per variant, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--stretch", type=int, default=32)
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure is not None:
        print(*measure(arguments.steps, arguments.measure))
        return
    found = {}
    for stretch in (0, arguments.stretch):
        command = [sys.executable, __file__, "--steps", str(arguments.steps), "--measure", str(stretch)]
        # otherwise glibc keeps freed memory, which would distort the measurement
        environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        memory, seconds = done.stdout.split()
        found[stretch] = float(memory)
        name = f"segments of {stretch}" if stretch else "whole"
        print(f"{name:20} {float(memory):8.1f} MiB {float(seconds):6.2f} s")
    print(f"1 / {found[0] / found[arguments.stretch]:.1f} of the memory")


def measure(steps: int, stretch: int) -> tuple[float, float]:
    """MiB of a step beyond those of a short one before it, and its seconds."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers = (LayerConfig(size=256), LayerConfig(size=256))
    config = NetworkConfig(layers, "cuba_lif", batch_norm=False, chip_aware=None)
    network = build_network(config, (INPUTS,), CLASSES)
    x = (torch.rand(steps, BATCH, INPUTS) < 0.05).to(torch.uint8)
    train(network, x[:4], 2 if stretch else 0)
    before, begin = largest(), time.perf_counter()
    train(network, x, stretch)
    return largest() - before, time.perf_counter() - begin


def train(network: torch.nn.Module, x: torch.Tensor, stretch: int) -> None:
    """Forward and backward."""
    counts = count_spikes(network, x, stretch)  # type: ignore[arg-type]
    sum(count.sum() for count in counts.values()).backward()  # type: ignore[union-attr]


def largest() -> float:
    """The largest resident memory so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
