"""One training step relative to its bare matrix products, compared with other frameworks.

    OMP_NUM_THREADS=1 python benchmarks/train.py [--network dense|conv] [--rounds 11] [--rate 0.05] [--device cuda]

LIF neurons, 25 steps, float32, one thread: forward, cross entropy of the output counts, backward; the optimizer, the
same for all, is left out. dense: 784-512-512-10, batch 128. conv: 2 x 34 x 34 and the layers of the NIR paper's N-MNIST
network, which pools by averages here, batch 32. Measured in turn, round by round, each right after a warm-up run of its
own, in processor time, which other work on the machine disturbs less. Printed: the median time, the median over the
rounds of the time over that of the same round's bare products (matrices or convolutions, forward, and gradients of
weights and of hidden spikes), and the fastest round over the fastest products. "sparse" exploits that few inputs of
dense layers fire; it adds in a different order, so a v within rounding error of the threshold may spike in one version
only. "chip" computes in the chip's integers. Frameworks that are not installed are left out (see train_peers.py). On a
GPU there is no sparse step, SpikingJelly also runs with its CuPy and Triton kernels, and the time is that until the GPU
is done.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from train_peers import KEEP, SAME_EQUATIONS, WIDTH, Made, Part, peers_on

from benchmarks.step_clock import DEVICES, compute_on, seconds_of
from spikeport.trainer.loop.memory import keep_freed_memory
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig, build_network
from spikeport.trainer.network.spiking_network import SpikingBlock, SpikingNetwork
from spikeport.trainer.neuron_step import sparse_synapse as sparse

STEPS = 25


@dataclass(frozen=True)
class Network:
    """input: shape of a sample; layers but for the output, and for every layer's weights their size: with these gains
    hidden layers fire at 4 to 20 %."""

    input: tuple[int, ...]
    batch: int
    layers: tuple[LayerConfig, ...]
    gains: tuple[float, ...]


NETWORKS = {
    "dense": Network((784,), 128, (LayerConfig(size=512), LayerConfig(size=512)), (2.0, 2.0, 2.0)),
    "conv": Network(
        (2, 34, 34),
        32,
        (
            LayerConfig("conv", 16, 5, 2, 1),
            LayerConfig("conv", 16, 3, 1, 1),
            LayerConfig("conv", 8, 3, 1, 1, pool=2),
            LayerConfig(size=256, pool=2),
        ),
        (2.0, 2.0, 4.0, 4.0, 2.0),
    ),
}


def main() -> None:
    """Print one line per framework."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=list(NETWORKS), help="one of them, else both")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--rate", type=float, default=0.05, help="share of inputs that fire")
    parser.add_argument("--device", choices=DEVICES, default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(compute_on(arguments.device))
    # as training does; the others also benefit
    keep_freed_memory()
    for name in [arguments.network] if arguments.network else NETWORKS:
        compare(name, NETWORKS[name], arguments.rate, arguments.rounds)


def compare(title: str, network: Network, rate: float, rounds: int) -> None:
    """One network in all frameworks."""
    torch.manual_seed(0)
    x = (torch.rand(STEPS, network.batch, *network.input) < rate).float()
    y = torch.randint(10, (network.batch,))
    ours = network_of(network, None)
    parts = [
        Part(block.synapse.weight.detach(), *geometry_of(block), pool)
        for (_, block), pool in zip(ours.spiking_blocks(), (*(layer.pool for layer in network.layers), 1), strict=True)
    ]
    print(f"{title}: batch {network.batch}, {STEPS} steps, load {os.getloadavg()[0]:.1f}")
    print_rates(ours, x)
    runs: dict[str, Callable[[], list[Tensor]]] = {"bare products": bare(parts, x.shape[1:])}
    runs |= {name: step(made, x, y) for name, made in candidates(parts).items()}
    mine = step(((lambda x: ours(x).sum(0)), [block.synapse.weight for _, block in ours.spiking_blocks()]), x, y)
    runs["spikeport dense"] = with_few(0.0, mine)
    if x.device.type == "cpu":
        runs["spikeport sparse"] = with_few(0.25, mine)
    chip = network_of(network, 8)
    whole = step(((lambda x: chip(x).sum(0)), [block.synapse.weight for _, block in chip.spiking_blocks()]), x, y)
    runs["spikeport chip"] = with_few(0.0, whole)
    compare_gradients(runs)
    times = {name: [] for name in runs}  # type: dict[str, list[float]]
    for _ in range(rounds):
        for name, run in runs.items():
            # warm-up, as in training: the caches then hold the framework's own data
            run()
            times[name].append(seconds_of(run))
    products = times["bare products"]
    for name, seconds in times.items():
        ratio = statistics.median(s / p for s, p in zip(seconds, products, strict=True))
        fastest = min(seconds) / min(products)
        print(f"{name:26} {1e3 * statistics.median(seconds):8.1f} ms   {ratio:5.2f} x   fastest {fastest:5.2f} x")


def network_of(network: Network, bits: int | None) -> SpikingNetwork:
    """This project's network with random weights and no training of the bias; bits: in the chip's integers."""
    config = NetworkConfig(network.layers, dv=1 - KEEP, batch_norm=False, surrogate_width=WIDTH, chip_aware=bits)
    built = build_network(config, network.input, 10)
    for (_, block), gain in zip(built.spiking_blocks(), network.gains, strict=True):
        weight = block.synapse.weight
        weight.data.copy_(torch.randn(weight.shape) * gain / weight[0].numel() ** 0.5)
        if block.bias is not None:
            block.bias.requires_grad_(False)
    return built


def geometry_of(block: SpikingBlock) -> tuple[int, int]:
    """Stride and padding."""
    synapse = block.synapse
    return (synapse.stride[0], int(synapse.padding[0])) if isinstance(synapse, nn.Conv2d) else (1, 0)


def candidates(parts: list[Part]) -> dict[str, Made]:
    """The frameworks that are installed."""
    found = {}
    for name, make in peers_on(parts[0].weight.device.type).items():
        try:
            found[name] = make(parts)
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


def bare(parts: list[Part], sample: torch.Size) -> Callable[[], list[Tensor]]:
    """The products of a step on random numbers: W s, W^T g but for the input, g s^T."""
    inputs, errors = [], []
    shape = torch.zeros(sample)
    for part in parts:
        module = part.module()
        inputs.append(torch.rand(STEPS * sample[0], *module[:-1](shape).shape[1:]))
        shape = module(shape)
        errors.append(torch.rand(STEPS * sample[0], *shape.shape[1:]))

    def run() -> list[Tensor]:
        for number, (part, before, error) in enumerate(zip(parts, inputs, errors, strict=True)):
            if part.convolution:
                options = [part.stride] * 2, [part.padding] * 2, [1, 1]
                torch.conv2d(before, part.weight, None, *options)
                torch.ops.aten.convolution_backward(
                    error, before, part.weight, None, *options, False, [0, 0], 1, [number > 0, True, False]
                )
                continue
            before @ part.weight.t()
            error.t() @ before
            if number:
                error @ part.weight
        return []

    return run


def print_rates(network: SpikingNetwork, x: Tensor) -> None:
    """How many spikes there are, which is what the sparse run lives on."""
    with torch.no_grad():
        layers = [spikes.mean().item() for spikes in network.run(x).values()]
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
