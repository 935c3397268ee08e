"""Deep spiking networks on the 8 x 8 digits: the training loss at 18 and 50 layers, and the gradients' size.

    python benchmarks/depth.py [--steps 120] [--plot docs/img/depth.svg]

Everything of 8 channels, 6 time steps, batch 32, plain SGD with momentum 0.9: Adam divides every gradient by its own
size and so hides what this shows. Compared, each at 18 and 50 layers:

    surrogate_bn      plain residual blocks that start as the identity, the surrogate's height tuned to the depth
    untuned           the same network, the same width, height 1
    sew_resnet        SEW blocks, ADD
    spiking ResNet    plain residual blocks as usual (threshold 1, no identity start), sew_resnet's surrogate

One CPU core, about ten minutes. Prints the loss in fifths of the training, and dL/ds of the first over the last layer.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from trainer.config import LayerConfig, NetworkConfig, TrainConfig
from trainer.data import Dataset, load_dataset
from trainer.encoding import encode
from trainer.estimator import Method
from trainer.gradients import gradient_norms
from trainer.methods import get_method
from trainer.network import SpikingNetwork

DEPTHS = (18, 50)
CHANNELS, TIME_STEPS, BATCH, MOMENTUM, CLIP = 8, 6, 32, 0.9, 1.0


@dataclass(frozen=True)
class Way:
    """A network and how it is trained: method, kind of residual block, surrogate with width, threshold, options."""

    label: str
    method: str
    kind: str
    surrogate: str
    width: float
    vth: float
    learning_rate: float
    options: dict[str, object]


WAYS = (
    Way("surrogate_bn", "surrogate_bn", "spiking_resnet", "fast_sigmoid", 10.0, 0.5, 0.015, {"identity_start": True}),
    Way(
        "untuned (height 1)",
        "surrogate_bn",
        "spiking_resnet",
        "fast_sigmoid",
        10.0,
        0.5,
        0.015,
        {"height": 1.0, "identity_start": True},
    ),
    Way("sew_resnet", "sew_resnet", "sew", "atan", 0.5, 1.0, 0.05, {}),
    Way("spiking ResNet", "bptt", "spiking_resnet", "atan", 0.5, 1.0, 0.05, {}),
)


@dataclass(frozen=True)
class Curve:
    """What was measured: loss by step, first layer's gradient over the last's before training, height, seconds."""

    way: Way
    depth: int
    losses: list[float]
    ratio: float
    height: float
    seconds: float


def measure(way: Way, depth: int, data: Dataset, steps: int) -> Curve:
    """Train one network."""
    layers = (LayerConfig("conv", CHANNELS), LayerConfig(way.kind, CHANNELS, repeat=(depth - 2) // 2))  # type: ignore[arg-type]
    config = NetworkConfig(
        layers, dv=0.1, vth=way.vth, surrogate=way.surrogate, surrogate_width=way.width, chip_aware=None, output_pool=2
    )
    method = get_method(way.method)(
        config, TrainConfig(method=way.method, steps=TIME_STEPS, batch_size=BATCH, options=way.options)
    )
    torch.manual_seed(0)
    network = method.build(data.input_shape, data.classes)
    method.prepare(network, data)
    network.train()
    generator = np.random.default_rng(0)
    norms = list(gradient_norms(network, method.loss, *batch(data, generator)).values())
    begun = time.perf_counter()
    losses = train(method, network, data, way.learning_rate, steps, generator)
    _, first = next(network.spiking_blocks())
    height = first.neuron.spike.height
    return Curve(way, depth, losses, norms[0] / norms[-1], height, time.perf_counter() - begun)


def train(
    method: Method, network: SpikingNetwork, data: Dataset, rate: float, steps: int, generator: np.random.Generator
) -> list[float]:
    """The loss of every step of SGD."""
    optimizer = torch.optim.SGD(network.parameters(), rate, MOMENTUM)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = method.loss(network, *batch(data, generator))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        losses.append(loss.item())
    return losses


def batch(data: Dataset, generator: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Spikes and labels of samples drawn at random."""
    chosen = generator.choice(len(data.y_train), BATCH, replace=False)
    spikes = encode("integrate", data.x_train[chosen], TIME_STEPS, generator)
    return torch.from_numpy(spikes), torch.from_numpy(data.y_train[chosen])


def fifths(losses: list[float]) -> list[float]:
    """Mean loss of each fifth of the training."""
    return [float(np.mean(part)) for part in np.array_split(losses, 5)]


def draw(curves: list[Curve], path: Path) -> None:
    """Loss over steps, running mean of ten: a line for each way (colour) and depth (18 dashed)."""
    import matplotlib as mpl

    mpl.use("Agg")
    # the same picture is the same file
    mpl.rcParams["svg.hashsalt"] = "depth"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    for curve in curves:
        smooth = np.convolve(curve.losses, np.ones(10) / 10, "valid")
        colour = f"C{[way.label for way in WAYS].index(curve.way.label)}"
        style = "-" if curve.depth == max(DEPTHS) else "--"
        axes.plot(np.arange(len(smooth)) + 10, smooth, style, color=colour, label=f"{curve.way.label}, {curve.depth}")
    axes.set(xlabel="training step (batch 32)", ylabel="training loss", ylim=(0, None))
    axes.legend(title="method, layers", fontsize="small", ncols=2)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measure every way at every depth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = load_dataset("digits_image", 0)
    curves = []
    print(f"{'':20}layers  height  first / last gradient   loss in fifths of {arguments.steps} steps")
    for way in WAYS:
        for depth in DEPTHS:
            curves.append(measure(way, depth, data, arguments.steps))
            curve = curves[-1]
            losses = "  ".join(f"{loss:.2f}" for loss in fifths(curve.losses))
            print(
                f"{way.label:20}{depth:6}{curve.height:8.3f}{curve.ratio:23.2g}   {losses}   ({curve.seconds:.0f} s)",
                flush=True,
            )
    if arguments.plot:
        draw(curves, arguments.plot)


if __name__ == "__main__":
    main()
