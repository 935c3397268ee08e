"""Deep spiking networks on the 8 x 8 digits: the training loss at 18 and 50 layers, and the gradients' size.

    python benchmarks/depth.py [--steps 120] [--seeds 2] [--plot docs/img/depth.svg] [--page docs/networks.md]

The two depths are those of ResNet-18 and ResNet-50 (He et al., CVPR 2016, table 1), in one stage: a convolution of 8
channels, then 8 blocks of two 3x3 convolutions of 8 channels, or 16 bottleneck blocks (1x1, 3x3, 1x1) of 8, 8 and 32
channels, then a dense layer. 6 time steps, batch 32, plain SGD with momentum 0.9: Adam divides every gradient by its
own size and so hides what this shows. Compared, each with the same settings at both depths:

    surrogate_bn      plain residual blocks that start as the identity, the surrogate's height tuned to the depth
    untuned           the same network, the same width, height 1
    sew_resnet        SEW blocks, ADD, that start as the identity
    spiking ResNet    plain residual blocks as usual (threshold 1, no identity start), sew_resnet's surrogate

The identity start is that of trainer/methods/initialisation/identity_init.py: the last batch norm of every block has
weight 0. Five minutes of one CPU core. Prints the loss in fifths of the training, and dL/ds of the first over the last
layer, mean over the seeds.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from page import table, update

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from spikeport.common.files import write_text
from spikeport.report.pictures import svg
from spikeport.trainer.data import Dataset, load_dataset
from spikeport.trainer.data.encoding import encode
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.initialisation.gradient_growth import gradient_norms
from spikeport.trainer.methods.method import Method
from spikeport.trainer.methods.registry import get_method
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig
from spikeport.trainer.network.spiking_network import SpikingNetwork

CHANNELS, TIME_STEPS, BATCH, MOMENTUM, CLIP = 8, 6, 32, 0.9, 1.0
# layers of the network: its blocks
DEPTHS: dict[int, dict[str, int]] = {
    18: {"size": CHANNELS, "repeat": 8, "bottleneck": False},
    50: {"size": 4 * CHANNELS, "repeat": 16, "bottleneck": True},
}


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
    Way("sew_resnet", "sew_resnet", "sew", "atan", 0.5, 1.0, 0.05, {"identity_start": True}),
    Way("spiking ResNet", "bptt", "spiking_resnet", "atan", 0.5, 1.0, 0.05, {}),
)


@dataclass(frozen=True)
class Curve:
    """Measurements: loss by step, first layer's gradient over the last's before training, height, CPU seconds."""

    way: Way
    depth: int
    losses: list[float]
    ratio: float
    height: float
    seconds: float


def measure(way: Way, depth: int, data: Dataset, steps: int, seed: int) -> Curve:
    """Train one network."""
    layers = (LayerConfig("conv", CHANNELS), LayerConfig(way.kind, **DEPTHS[depth]))  # type: ignore[arg-type]
    config = NetworkConfig(
        layers, dv=0.1, vth=way.vth, surrogate=way.surrogate, surrogate_width=way.width, chip_aware=None, output_pool=2
    )
    method = get_method(way.method)(
        config, TrainConfig(method=way.method, steps=TIME_STEPS, batch_size=BATCH, options=way.options, seed=seed)
    )
    torch.manual_seed(seed)
    network = method.build(data.input_shape, data.classes)
    method.prepare(network, data)
    network.train()
    generator = np.random.default_rng(seed)
    norms = list(gradient_norms(network, method.loss, *batch(data, generator)).values())
    begun = time.process_time()
    losses = train(method, network, data, way.learning_rate, steps, generator)
    _, first = next(network.spiking_blocks())
    height = first.neuron.spike.height
    return Curve(way, depth, losses, norms[0] / norms[-1], height, time.process_time() - begun)


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
    """The mean loss of every fifth of the training: one colour per method, the shallower network dashed."""
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


def mean(curves: list[Curve]) -> Curve:
    """Of the same network from several seeds; of the gradients' ratio the geometric mean."""
    return Curve(
        curves[0].way,
        curves[0].depth,
        [float(loss) for loss in np.mean([curve.losses for curve in curves], 0)],
        float(np.exp(np.mean([np.log(curve.ratio) for curve in curves]))),
        float(np.mean([curve.height for curve in curves])),
        sum(curve.seconds for curve in curves),
    )


def cells(curve: Curve) -> list[str]:
    """A row of the table."""
    losses = " ".join(f"{loss:.2f}" for loss in fifths(curve.losses))
    ratio = float(f"{curve.ratio:.2g}")
    return [curve.way.label, str(curve.depth), f"{curve.height:.3f}", f"{ratio:g}", losses]


def main() -> None:
    """Measure every method at every depth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--page", type=Path, help="a page whose table is updated")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = load_dataset("digits_image", 0)
    curves = []
    for way in WAYS:
        for depth in DEPTHS:
            runs = [measure(way, depth, data, arguments.steps, seed) for seed in range(arguments.seeds)]
            for run in (*runs, mean(runs)):
                print("  ".join(cells(run)), f"({run.seconds:.0f} s)", flush=True)
            curves.append(mean(runs))
    if arguments.plot:
        draw([(c.way.label, c.depth, fifths(c.losses)) for c in curves], arguments.steps, arguments.plot)
    if arguments.page:
        headings = ("method", "layers", "height", "first / last gradient", f"loss, fifths of {arguments.steps} steps")
        lines = table(headings, map(cells, curves))
        update(arguments.page, {"depth": lines})


if __name__ == "__main__":
    main()
