"""One training step on the CPU, over the time of the bare matrix products that it needs, beside other frameworks.

    OMP_NUM_THREADS=1 python benchmarks/train.py [--rounds 11] [--rate 0.05]

Dense 784-512-512-10 of LIF neurons, 25 steps, batch 128, float32, one thread: forward, cross entropy of the output
counts, backward; the optimizer, the same for all, is left out. Measured in turn, round by round, in processor time,
which other work on the machine disturbs less. Printed: the median time, the median over the rounds of the time over
that of the same round's matrix products (forward, and gradients of weights and of hidden spikes), and the fastest round
over the fastest products. "sparse" uses that few inputs fire. Frameworks that are not
installed are left out (see train_peers.py).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from train_peers import KEEP, PEERS, SAME_EQUATIONS, WIDTH, Made

from trainer import sparse
from trainer.config import LayerConfig, NetworkConfig, build_network
from trainer.memory import keep_freed_memory
from trainer.network import SpikingNetwork

STEPS, BATCH, SIZES = 25, 128, (784, 512, 512, 10)


def main() -> None:
    """Print one line a framework."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--rate", type=float, default=0.05, help="share of inputs that fire")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    # as training does; the others gain by it, too
    keep_freed_memory()
    x = (torch.rand(STEPS, BATCH, SIZES[0]) < arguments.rate).float()
    y = torch.randint(SIZES[-1], (BATCH,))
    # hidden layers fire at 5 to 20 %
    weights = [torch.randn(o, i) * g / i**0.5 for i, o, g in zip(SIZES[:-1], SIZES[1:], (2.0, 2.0, 2.0), strict=True)]
    runs: dict[str, Callable[[], list[Tensor]]] = {"bare matrix products": bare(weights)}
    runs |= {name: step(made, x, y) for name, made in candidates(weights).items()}
    ours = step(spikeport(weights), x, y)
    runs["spikeport dense"] = with_few(0.0, ours)
    runs["spikeport sparse"] = with_few(0.25, ours)
    print_rates(weights, x)
    compare_gradients(runs)
    times = {name: [] for name in runs}  # type: dict[str, list[float]]
    for _ in range(arguments.rounds):
        for name, run in runs.items():
            begin = time.process_time()
            run()
            times[name].append(time.process_time() - begin)
    products = times["bare matrix products"]
    for name, seconds in times.items():
        ratio = statistics.median(s / p for s, p in zip(seconds, products, strict=True))
        fastest = min(seconds) / min(products)
        print(f"{name:26} {1e3 * statistics.median(seconds):8.1f} ms   {ratio:5.2f} x   fastest {fastest:5.2f} x")


def spikeport(weights: list[Tensor]) -> Made:
    """This project's forward pass."""
    network = network_with(weights)
    leaves = [block.synapse.weight for _, block in network.spiking_blocks()]
    return (lambda x: network(x).sum(0)), leaves


def network_with(weights: list[Tensor]) -> SpikingNetwork:
    """This project's network with the same weights and no training of the bias."""
    config = NetworkConfig(
        tuple(LayerConfig(size=size) for size in SIZES[1:-1]),
        dv=1 - KEEP,
        batch_norm=False,
        surrogate_width=WIDTH,
        chip_aware=None,
    )
    network = build_network(config, (SIZES[0],), SIZES[-1])
    for (_, block), weight in zip(network.spiking_blocks(), weights, strict=True):
        block.synapse.weight.data.copy_(weight)
        if block.bias is not None:
            block.bias.requires_grad_(False)
    return network


def candidates(weights: list[Tensor]) -> dict[str, Made]:
    """The frameworks that are installed."""
    found = {}
    for name, make in PEERS.items():
        try:
            found[name] = make(weights)
        except ImportError as error:
            print(f"{name}: left out ({error})")
    return found


def step(made: Made, x: Tensor, y: Tensor) -> Callable[[], list[Tensor]]:
    """A training step without optimizer; gives the gradients."""
    forward, leaves = made

    def run() -> list[Tensor]:
        for leaf in leaves:
            leaf.grad = None
        nn.functional.cross_entropy(forward(x), y).backward()
        return [leaf.grad for leaf in leaves if leaf.grad is not None]

    return run


def with_few(few: float, run: Callable[[], list[Tensor]]) -> Callable[[], list[Tensor]]:
    """The run where synapses count as sparse below that share of spikes."""

    def chosen() -> list[Tensor]:
        before, sparse.FEW = sparse.FEW, few
        try:
            return run()
        finally:
            sparse.FEW = before

    return chosen


def bare(weights: list[Tensor]) -> Callable[[], list[Tensor]]:
    """The matrix products of a step on random numbers: W s, W^T g but for the input, g s^T."""
    rows = STEPS * BATCH
    inputs = [torch.rand(rows, weight.shape[1]) for weight in weights]
    errors = [torch.rand(rows, weight.shape[0]) for weight in weights]

    def run() -> list[Tensor]:
        for number, (weight, before, error) in enumerate(zip(weights, inputs, errors, strict=True)):
            before @ weight.t()
            error.t() @ before
            if number:
                error @ weight
        return []

    return run


def print_rates(weights: list[Tensor], x: Tensor) -> None:
    """How many spikes there are, which is what the sparse run lives on."""
    with torch.no_grad():
        layers = [spikes.mean().item() for spikes in network_with(weights).run(x).values()]
    print("spikes per neuron and step: input", f"{x.mean():.3f},", "layers", ", ".join(f"{r:.3f}" for r in layers))


def compare_gradients(runs: dict[str, Callable[[], list[Tensor]]]) -> None:
    """Print how far gradients of the same equations are apart; this is also the first, unmeasured run of each."""
    found = {name: run() for name, run in runs.items()}
    ours = found["spikeport dense"]
    for name in (*SAME_EQUATIONS, "spikeport sparse"):
        if name in found:
            apart = max(float((a - b).norm() / a.norm()) for a, b in zip(ours, found[name], strict=True))
            print(f"{name}: gradients {apart:.1e} from spikeport dense (relative, the largest of a layer)")


if __name__ == "__main__":
    main()
