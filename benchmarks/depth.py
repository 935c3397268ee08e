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

from hardware_profiles.files import write_text
from spikeport.report import svg
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


STYLE = """text { font: 12px sans-serif; fill: #333 } .axis { stroke: #999 } .grid { stroke: #e5e5e5 }
path { fill: none; stroke-width: 2 } .shallow { stroke-dasharray: 5 4; stroke-width: 1.3 }
.w0 { stroke: #0072b2 } .w1 { stroke: #e69f00 } .w2 { stroke: #009e73 } .w3 { stroke: #cc3d6b }"""
LEFT, RIGHT, TOP, BOTTOM, WIDTH, HEIGHT = 50.0, 220.0, 16.0, 44.0, 720.0, 340.0


def draw(means: list[tuple[str, int, list[float]]], steps: int, path: Path) -> None:
    """The mean loss of every fifth of the training: a colour for each way, the shallower network dashed."""
    ticks = svg.round_ticks(max(max(values) for _, _, values in means))
    inner, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def across(step: float) -> float:
        return LEFT + inner * step / steps

    def down(loss: float) -> float:
        return TOP + high * (1 - loss / ticks[-1])

    parts = []
    for tick in ticks:
        parts.append(svg.line(LEFT, down(tick), LEFT + inner, down(tick), "grid" if tick else "axis"))
        parts.append(svg.text(LEFT - 8, down(tick) + 4, f"{tick:g}", anchor="end"))
    for step in range(0, steps + 1, steps // 5):
        parts.append(svg.text(across(step), TOP + high + 18, str(step), anchor="middle"))
    parts.append(svg.text(LEFT + inner / 2, HEIGHT - 6, "training step (batch 32)", anchor="middle"))
    parts.append(svg.text(LEFT, TOP - 4, "training loss, mean of a fifth"))
    labels = [way.label for way in WAYS]
    for row, (label, depth, values) in enumerate(means):
        look = f"w{labels.index(label)}" + ("" if depth == max(DEPTHS) else " shallow")
        points = [(across((n + 0.5) * steps / 5), down(loss)) for n, loss in enumerate(values)]
        parts.append(svg.path("M" + "L".join(f"{svg.number(x)} {svg.number(y)}" for x, y in points), look))
        y = TOP + 14 + 20 * row
        parts.append(svg.path(f"M{svg.number(WIDTH - RIGHT + 14)} {svg.number(y)}h26", look))
        parts.append(svg.text(WIDTH - RIGHT + 48, y + 4, f"{label}, {depth} layers"))
    title = "Training loss of spiking networks of 18 and 50 layers"
    write_text(path, svg.standalone(title, HEIGHT, parts, STYLE, WIDTH) + "\n")


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
        draw([(c.way.label, c.depth, fifths(c.losses)) for c in curves], arguments.steps, arguments.plot)


if __name__ == "__main__":
    main()
