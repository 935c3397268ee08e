"""A training step of an imported module relative to the recipe's own network of the same shape, in one run.

    OMP_NUM_THREADS=1 python benchmarks/train_imported.py [--network dense|conv] [--rounds 11]

The networks of benchmarks/train.py, chip-aware at 8 bits; the module is made of the graph that the network exports.
Forward, cross entropy of the output counts, backward, in turn A B A B, each after a warm-up of its own, in processor
time. Printed: the medians, and the median over the rounds of module over network.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn
from train import NETWORKS, STEPS, network_of

from spikeport.exporter.from_torch import network_to_nir
from spikeport.exporter.trainable.module import module_of
from spikeport.hardware_profiles.loader import load_chip
from spikeport.trainer.loop.memory import keep_freed_memory
from spikeport.trainer.neuron_step.quantise import ChipAware


def main() -> None:
    """Print three lines per network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=list(NETWORKS), help="one of them, else both")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--rate", type=float, default=0.05, help="share of inputs that fire")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    for name in [arguments.network] if arguments.network else NETWORKS:
        compare(name, arguments.rate, arguments.rounds)


def compare(name: str, rate: float, rounds: int) -> None:
    """One network, as a recipe trains it and imported."""
    torch.manual_seed(0)
    shape = NETWORKS[name]
    x = (torch.rand(STEPS, shape.batch, *shape.input) < rate).float()
    y = torch.randint(10, (shape.batch,))
    network = network_of(shape)
    for (_, block), geometry in zip(network.spiking_blocks(), network.geometry, strict=True):
        fan_in = replace(ChipAware().fan_in, copies=geometry.pool**2)
        block.chip = ChipAware(8, fan_in=fan_in)
    module = module_of(network_to_nir(network), load_chip("loihi2"))
    same = torch.equal(network(x), module(x))
    print(f"{name}: batch {shape.batch}, {STEPS} steps, equal output: {same}")
    runs: dict[str, Callable[[], None]] = {"network": step(network, x, y), "module": step(module, x, y)}
    times: dict[str, list[float]] = {key: [] for key in runs}
    for _ in range(rounds):
        for key, run in runs.items():
            run()
            begin = time.process_time()
            run()
            times[key].append(time.process_time() - begin)
    for key, seconds in times.items():
        print(f"{key:10} {1e3 * statistics.median(seconds):8.1f} ms")
    ratios = [m / n for m, n in zip(times["module"], times["network"], strict=True)]
    print(f"module / network {statistics.median(ratios):.3f}")


def step(module: nn.Module, x: Tensor, y: Tensor) -> Callable[[], None]:
    """A training step without optimizer."""

    def run() -> None:
        module.zero_grad()
        nn.functional.cross_entropy(module(x).sum(0), y).backward()

    return run


if __name__ == "__main__":
    main()
