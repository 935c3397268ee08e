"""Whether torch.compile makes a training step faster: forward and backward pass, eager and compiled.

    OMP_NUM_THREADS=1 python benchmarks/train_compile.py [--device cuda] [--rounds 15] [--page docs/training.md]

Each network as its method trains it while batch norm gathers statistics, and the ANN twin; batch 64. Parts that
torch's compiler cannot read (the neurons' kernels) run uncompiled. Times are medians of rounds in turn, in processor
time (on a GPU wall time); "compile time" is the duration of the first ten compiled steps.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from page import table, update
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from spikeport.trainer.ann import TwinNetwork
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.registry import get_method
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig

STEPS, BATCH = 16, 64
# torch recompiles a function up to eight times before it gives up
WARM = 10
DENSE = (LayerConfig(size=256), LayerConfig(size=256))
RECURRENT = (LayerConfig(size=256, recurrent=True),)
CONV = (LayerConfig("conv", 16, kernel=5, stride=2), LayerConfig("conv", 32, stride=2))

Loss = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Case:
    """A network and its training method; None: the ANN twin."""

    label: str
    method: str | None
    layers: tuple[LayerConfig, ...]


CASES = (
    Case("`bptt`, dense 256, 256", "bptt", DENSE),
    Case("`bptt`, dense 256 (recurrent)", "bptt", RECURRENT),
    Case("`surrogate_bn`, conv 16, 32", "surrogate_bn", CONV),
    Case("`soft_lif`, conv 16, 32", "soft_lif", CONV),
    Case("ANN twin, conv 16, 32", None, CONV),
)


def made(case: Case, device: str) -> tuple[nn.Module, Loss, Tensor]:
    """The network, its loss for an input, and an input: images of 1 x 28 x 28 as spikes."""
    torch.manual_seed(0)
    config = NetworkConfig(case.layers)
    y = (torch.arange(BATCH) % 10).to(device)
    if case.method is None:
        twin = TwinNetwork(config, (1, 28, 28), 10).to(device).train()
        return twin, lambda x: nn.functional.cross_entropy(twin(x), y), torch.rand(BATCH, 1, 28, 28, device=device)
    method = get_method(case.method)(config, TrainConfig(method=case.method, steps=STEPS), device=device)
    network = method.build((1, 28, 28), 10).to(device).train()
    spikes = (torch.rand(STEPS, BATCH, 1, 28, 28) < 0.1).to(torch.uint8).to(device)
    return network, lambda x: method.loss(network, x, y), spikes


def step(network: nn.Module, loss: Loss, x: Tensor) -> float:
    """Seconds of one forward and backward pass."""
    network.zero_grad()
    clock = time.perf_counter if x.is_cuda else time.process_time
    begun = clock()
    loss(x).backward()
    if x.is_cuda:
        torch.cuda.synchronize()
    return clock() - begun


def measure(case: Case, device: str, rounds: int) -> list[str]:
    """A row of the table."""
    network, loss, x = made(case, device)
    compiled = torch.compile(loss)
    step(network, loss, x)
    begun = time.perf_counter()
    for _ in range(WARM):
        step(network, compiled, x)
    ready = time.perf_counter() - begun
    pairs = [(step(network, loss, x), step(network, compiled, x)) for _ in range(rounds)]
    plain, fast = median(one for one, _ in pairs), median(other for _, other in pairs)
    ratio = median(other / one for one, other in pairs)
    return [case.label, f"{1e3 * plain:.1f} ms", f"{1e3 * fast:.1f} ms", f"{ratio:.2f}", f"{ready:.0f} s"]


def main() -> None:
    """Print one row per network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--page", type=Path, help="a page whose table is updated")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("torch._dynamo").setLevel(logging.ERROR)
    rows = []
    for case in CASES:
        rows.append(measure(case, arguments.device, arguments.rounds))
        print("  ".join(rows[-1]), flush=True)
    if arguments.page:
        lines = table(("step", "eager", "compiled", "ratio", "compile time"), rows)
        update(arguments.page, {"compile": lines})


if __name__ == "__main__":
    main()
