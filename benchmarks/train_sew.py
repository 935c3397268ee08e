"""A training step of a residual network on images, ours and other frameworks', eager and compiled.

    OMP_NUM_THREADS=1 python benchmarks/train_sew.py [--rounds 9] [--batch 64] [--only NAME ...] [--device cuda]
    python benchmarks/train_sew.py --network resnet18 --batch 128 --device cuda

small: conv 16, SEW blocks of 32 (stride 2), 64 (stride 2) and 64 channels, ten outputs. resnet18: SEW-ResNet-18 for
small images, conv 64 and eight SEW blocks of 64, 128, 256 and 512 channels. Input 3 x 32 x 32, 4 steps, batch 64, one
thread: forward, cross entropy of the output counts, backward; without the optimizer. All in one process in turn, A B C
A B C, each round also in the opposite order, in processor time (on a GPU, the time until it is done, and SpikingJelly's
own kernels beside); printed: the median time, and the median over the rounds of the time over that of compiled
SpikingJelly in the same round. Networks have the same weights. Frameworks that are not installed are left out; how each
is written: train_sew_peers.py.

float: batch norm gathers statistics. folded: it is folded into the weights. chip: folded, and in the chip's integers,
as the last epochs of a training by default.
"""

from __future__ import annotations

import argparse
import logging
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from train_peers import KEEP, WIDTH
from train_sew_peers import SAME_EQUATIONS, parts_of, peers_on

from benchmarks.step_clock import DEVICES, compute_on, seconds_of
from spikeport.trainer.loop.memory import keep_freed_memory
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.registry import get_method
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig
from spikeport.trainer.network.spiking_network import SpikingNetwork

STEPS, SHAPE, CLASSES = 4, (3, 32, 32), 10
SMALL = (
    LayerConfig("conv", 16),
    LayerConfig("sew", 32, stride=2),
    LayerConfig("sew", 64, stride=2),
    LayerConfig("sew", 64),
)
RESNET18 = (
    LayerConfig("conv", 64),
    *(
        LayerConfig("sew", 64 << stage, stride=2 if stage and first else 1)
        for stage in range(4)
        for first in (True, False)
    ),
)
NETWORKS = {"small": SMALL, "resnet18": RESNET18}
REFERENCE = "SpikingJelly, compiled"
# calls before measuring: torch's compiler needs several
WARM = 4

Gradients = list[Tensor]
Step = Callable[[], Gradients]


@dataclass(frozen=True)
class Batch:
    """The network's layers, spikes (T, B, *shape), uint8, and labels (B,)."""

    layers: tuple[LayerConfig, ...]
    x: Tensor
    y: Tensor


def main() -> None:
    """Print one line per framework."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--network", choices=list(NETWORKS), default="small")
    parser.add_argument("--device", choices=DEVICES, default="cpu")
    parser.add_argument("--only", nargs="*", help="words of which one is in the name of every candidate")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    where = compute_on(arguments.device)
    # as training does; the others also benefit
    keep_freed_memory()
    logging.getLogger("torch._dynamo").setLevel(logging.ERROR)
    torch.manual_seed(0)
    batch = Batch(
        NETWORKS[arguments.network],
        (torch.rand(STEPS, arguments.batch, *SHAPE) < 0.3).to(torch.uint8),
        torch.randint(CLASSES, (arguments.batch,)),
    )
    steps = candidates(batch)
    if arguments.only:
        steps = {name: step for name, step in steps.items() if any(word in name for word in arguments.only)}
    print(f"{where}, {platform.processor() or platform.machine()}, torch {torch.__version__}, batch {arguments.batch}")
    compare_gradients(steps)
    report(measure(steps, arguments.rounds))


def candidates(batch: Batch) -> dict[str, Step]:
    """A training step by name; our networks are built first, the others copy their weights."""
    ours = {
        "ours, float": our_step(None, False, batch),
        "ours, folded": our_step(None, True, batch),
        "ours, chip": our_step(8, True, batch),
    }
    weights = parts_of(our_network(batch.layers, None))
    steps: dict[str, Step] = {}
    for name, make in peers_on(batch.x.device.type).items():
        try:
            steps[f"{name}, eager"] = peer_step(make(weights), batch, compiled=False)
            steps[f"{name}, compiled"] = peer_step(make(weights), batch, compiled=True)
        except ImportError as error:
            print(f"{name}: left out ({error})")
    return ours | steps


def our_network(layers: tuple[LayerConfig, ...], bits: int | None) -> SpikingNetwork:
    """Our network with weights from a fixed seed, all biases 0."""
    torch.manual_seed(1)
    config = NetworkConfig(layers, dv=1 - KEEP, surrogate_width=WIDTH, chip_aware=bits)
    return get_method("sew_resnet")(config, TrainConfig(method="sew_resnet", steps=STEPS)).build(SHAPE, CLASSES)


def our_step(bits: int | None, folded: bool, batch: Batch) -> Step:
    """A step of `sew_resnet`; folded: with batch norm's statistics of a first pass."""
    config = NetworkConfig(batch.layers, dv=1 - KEEP, surrogate_width=WIDTH, chip_aware=bits)
    method = get_method("sew_resnet")(config, TrainConfig(method="sew_resnet", steps=STEPS))
    network = our_network(batch.layers, bits).train()
    if folded:
        for _ in range(20):
            with torch.no_grad():
                network(batch.x)
        network.freeze_norms()
    leaves = [leaf for leaf in network.parameters() if leaf.requires_grad]
    weights = [block.synapse.weight for _, block in network.spiking_blocks()]

    def run() -> Gradients:
        for leaf in leaves:
            leaf.grad = None
        method.loss(network, batch.x, batch.y).backward()  # type: ignore[no-untyped-call]
        return [weight.grad for weight in weights if weight.grad is not None]

    return run


def peer_step(made: tuple[nn.Module, Callable[[], None], Gradients], batch: Batch, compiled: bool) -> Step:
    """A step of another framework."""
    network, reset, leaves = made
    forward: Callable[[Tensor], Tensor] = torch.compile(network) if compiled else network
    x = batch.x.float()

    def run() -> Gradients:
        network.zero_grad()
        reset()
        nn.functional.cross_entropy(forward(x), batch.y).backward()
        return [leaf.grad for leaf in leaves if leaf.grad is not None]

    return run


def compare_gradients(steps: dict[str, Step]) -> None:
    """Print how far gradients of the same equations are apart; also the first, unmeasured runs."""
    first = {name: [gradient.clone() for gradient in step()] for name, step in steps.items()}
    for name in SAME_EQUATIONS:
        if name in first and "ours, float" in first:
            pairs = zip(first["ours, float"], first[name], strict=True)
            apart = max(float((a - b).norm() / a.norm()) for a, b in pairs)
            print(f"{name}: gradients {apart:.1e} from ours, float (relative, the largest of a layer)")
    for step in steps.values():
        for _ in range(WARM):
            step()


def measure(steps: dict[str, Step], rounds: int) -> dict[str, list[float]]:
    """Seconds of processor time, by name; every second round in the opposite order."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds):
        for name in list(steps) if number % 2 == 0 else reversed(list(steps)):
            times[name].append(seconds_of(steps[name]))
    return times


def report(times: dict[str, list[float]]) -> None:
    """Print medians, and ratios to the reference in the same round."""
    reference = times.get(REFERENCE)
    for name, seconds in times.items():
        line = f"{name:24} {1e3 * median(seconds):8.1f} ms   fastest {1e3 * min(seconds):7.1f} ms"
        if reference is not None:
            line += f"   {median(s / r for s, r in zip(seconds, reference, strict=True)):5.2f} x"
        print(line)


if __name__ == "__main__":
    main()
