"""The gradient's norm by layer in networks of 8 to 50 layers, before training, by the surrogate's width and height.

    python benchmarks/gradients.py [--kind conv] [--seeds 3] [--plot docs/img/gradients.svg] [--page docs/networks.md]

A convolution of 8 channels, then residual blocks of two 3x3 convolutions of 8 channels (`--kind conv`: a chain of
convolutions), then a dense layer; no identity start, vth 1, surrogate atan. 6 time steps of 32 of the 8 x 8 digits.
For each width the surrogate has height 1, or the height that surrogate_bn finds on one batch; the norms are measured on
another batch. One backward pass per network, some more for the tuning: 20 seconds of one CPU core.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import page
import torch
from depth import CHANNELS, batch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from spikeport.common.files import write_text
from spikeport.report.pictures import svg
from spikeport.trainer.data import Dataset, load_dataset
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.initialisation.gradient_growth import gradient_growth_per_layer, gradient_norms
from spikeport.trainer.methods.surrogate_bn import SurrogateBn, set_height, tuned_height
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig, build_network

DEPTHS, WIDTHS, HOW = (8, 18, 34, 50), (0.1, 0.5, 2.0), ("height 1", "tuned height")
HEADINGS = ("width", "height", "layers", "first / last gradient", "growth per layer", "largest / smallest")


@dataclass(frozen=True)
class Norms:
    """One network: its surrogate, and the norm of dL/ds of every layer, first layer first, over the last's."""

    width: float
    how: str
    height: float
    norms: list[float]
    growth: float


def measure(kind: str, width: float, how: str, depth: int, data: Dataset, seed: int) -> Norms:
    """Build a network, tune its height on one batch if requested, and measure the gradient of another batch."""
    repeat = depth - 2 if kind == "conv" else (depth - 2) // 2
    layers = (LayerConfig("conv", CHANNELS), LayerConfig(kind, CHANNELS, repeat=repeat))  # type: ignore[arg-type]
    config = NetworkConfig(layers, dv=0.1, surrogate_width=width, chip_aware=None, output_pool=8)
    torch.manual_seed(seed)
    network = build_network(config, data.input_shape, data.classes).train()
    generator = np.random.default_rng(seed)
    seen, other = batch(data, generator), batch(data, generator)
    method = SurrogateBn(config, TrainConfig(method="surrogate_bn"))
    height = tuned_height(method, network, *seen) if how == "tuned height" else 1.0
    set_height(network, height)
    found = gradient_norms(network, method.loss, *other)
    values = list(found.values())
    return Norms(width, how, height, [value / values[-1] for value in values], gradient_growth_per_layer(found))


def cells(runs: list[Norms]) -> list[str]:
    """A row of the table, of one network from several seeds: the mean height, the lowest and highest of the rest."""
    one = runs[0]
    height = "1" if one.how == "height 1" else f"tuned, {np.mean([run.height for run in runs]):.2f}"
    ends = (run.norms[0] for run in runs)
    span = (max(run.norms) / min(run.norms) for run in runs)
    growths = sorted(run.growth for run in runs)
    rates = f"{growths[0]:+.3f} to {growths[-1]:+.3f}"
    return [f"{one.width:g}", height, str(len(one.norms)), between(*ends), rates, between(*span)]


def between(*values: float) -> str:
    """The lowest and the highest value, two digits each."""
    low, high = (f"{float(f'{value:.2g}'):g}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


STYLE = """text { font: 12px sans-serif; fill: #333 } .axis { stroke: #999 } .grid { stroke: #e5e5e5 }
path { fill: none; stroke-width: 2 } .d0 { stroke: #e69f00 } .d1 { stroke: #009e73 } .d2 { stroke: #56a5dc }
.d3 { stroke: #5b2a86 }"""
LEFT, TOP, ACROSS, DOWN, GAP, BETWEEN, HEIGHT = 52.0, 60.0, 204.0, 160.0, 22.0, 58.0, 484.0
# tens' exponents, each the norm over that of the last layer
TICKS = range(-12, 19, 6)


def draw(grid: list[list[Norms]], path: Path) -> None:
    """The geometric mean of every layer's norm: a panel per width and height, a colour per depth, one scale for all."""
    parts = [svg.text(LEFT, 16, "norm of dL/ds over that of the last layer, before training")]
    for shade, depth in enumerate(DEPTHS):
        x = LEFT + 384 + 64 * shade
        parts.append(svg.path(f"M{svg.number(x)} 12h18", f"d{shade}"))
        parts.append(svg.text(x + 24, 16, str(depth) if shade < len(DEPTHS) - 1 else f"{depth} layers"))
    for (row, how), (column, width) in product(enumerate(HOW), enumerate(WIDTHS)):
        left, top = LEFT + column * (ACROSS + GAP), TOP + row * (DOWN + BETWEEN)
        parts += axes(left, top, labelled=column == 0)
        parts.append(svg.text(left, top - 10, f"width {width:g}, {how}"))
        for runs in grid:
            if (runs[0].width, runs[0].how) == (width, how):
                means = np.mean([np.log10(run.norms) for run in runs], 0)
                points = (
                    f"{svg.number(left + ACROSS * layer / max(DEPTHS))} {svg.number(top + down(value))}"
                    for layer, value in enumerate(means, 1)
                )
                parts.append(svg.path("M" + "L".join(points), f"d{DEPTHS.index(len(means))}"))
    parts.append(svg.text(LEFT + 1.5 * ACROSS + GAP, HEIGHT - 8, "layer, 1 next to the input", anchor="middle"))
    title = "Norm of the gradient by layer in networks of 8 to 50 layers"
    write_text(path, svg.standalone(title, HEIGHT, parts, STYLE) + "\n")


def down(exponent: float) -> float:
    """Distance of a power of ten from a panel's top."""
    return DOWN * (TICKS[-1] - exponent) / (TICKS[-1] - TICKS[0])


def axes(left: float, top: float, *, labelled: bool) -> list[svg.Markup]:
    """A panel's lines and numbers; those of the norm only where `labelled`."""
    parts = []
    for tick in TICKS:
        y = top + down(tick)
        parts.append(svg.line(left, y, left + ACROSS, y, "grid" if tick else "axis"))
        if labelled:
            parts.append(svg.text(left - 8, y + 4, f"1e{tick}" if tick else "1", anchor="end"))
    for layer in (1, 10, 20, 30, 40, 50):
        parts.append(svg.text(left + ACROSS * layer / max(DEPTHS), top + DOWN + 18, str(layer), anchor="middle"))
    return parts


def main() -> None:
    """Measure every width and height at every depth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=("spiking_resnet", "conv"), default="spiking_resnet")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--page", type=Path, help="a page whose table is updated")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = load_dataset("digits_image", 0)
    grid = [
        [measure(arguments.kind, width, how, depth, data, seed) for seed in range(arguments.seeds)]
        for how, width, depth in product(HOW, WIDTHS, DEPTHS)
    ]
    lines = page.table(HEADINGS, map(cells, grid))
    print(*lines, sep="\n")
    if arguments.plot:
        draw(grid, arguments.plot)
    if arguments.page:
        page.update(arguments.page, {"gradients": lines})


if __name__ == "__main__":
    main()
