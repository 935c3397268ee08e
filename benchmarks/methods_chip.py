"""Further measurements of benchmarks/methods.py: fewer bits per weight, the chip's step in training, a choice made on
held-out samples."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from methods_page import METHODS, Line, share, spread
from torch import nn

from benchmarks import page
from spikeport.run.recipe import Recipe, checked_recipe, load_recipe
from spikeport.run.run_folder import RunFolder
from spikeport.run.stages import dataset_of, train_network
from spikeport.trainer.data import Dataset
from spikeport.trainer.loop.memory import keep_freed_memory
from spikeport.trainer.methods.method import Method
from spikeport.trainer.methods.registry import get_method, load_trained
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig, build_network
from spikeport.trainer.network.spiking_network import SpikingNetwork

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# bits per weight, 0 for floating point
WIDTHS = (0, 8, 4)
LARGEST_LOSS = 0.01
WIDTH_HEADINGS = ("method", "floating point", "8 bit", "4 bit", "4 bit below floating point")
STEP_HEADINGS = (
    "layers",
    "step in floating point",
    "step in the chip's integers",
    "ratio",
    "of that, rounding weights",
)
# of benchmarks/train.py
STEPS, BATCH, SIZES, RATE = 25, 128, (784, 512, 512, 10), 0.05
HELD_OUT = 0.2


@dataclass(frozen=True)
class Width:
    """Test accuracy of a network trained for weights of that width."""

    method: str
    seed: int
    bits: int
    right: float


def width(method: str, seed: int, bits: int, folder: RunFolder) -> Width | None:
    """Test accuracy of the network in a run folder, as the trainer computes it; None if there is none yet."""
    if not folder.network.exists():
        return None
    recipe = load_recipe(folder.recipe)
    return Width(method, seed, bits, right(load_trained(folder.network), dataset_of(recipe)))


def train_width(folder: RunFolder) -> None:
    """Only train the recipe in a folder: chip-aware training computes what the chip computes."""
    recipe = load_recipe(folder.recipe)
    train_network(recipe, folder, dataset_of(recipe), resume=True, progress=True)


def right(method: Method, data: Dataset) -> float:
    """Test accuracy."""
    return float((method.predict(data.x_test) == data.y_test).mean())


def width_table(found: Sequence[Width], standing: Sequence[Line] = ()) -> list[Line]:
    """One row per method, over the seeds that all widths have; without such seeds the page's present row."""
    kept = {line[0]: line for line in standing}
    for method in METHODS:
        if values := _by_bits(found, method):
            kept[f"`{method}`"] = (f"`{method}`", *_width_cells(values))
    return [kept[f"`{method}`"] for method in METHODS if f"`{method}`" in kept]


def width_wanted(lines: Sequence[Line]) -> str:
    """Whether 4 bits are within one point of floating point, with the method that loses most, as in the table."""
    lost = {line[0].strip("`"): float(line[-1].split()[0]) for line in lines}
    if not lost:
        return "- digits, 4-bit weights within 1 point of floating point: not run"
    worst = max(lost, key=lambda method: lost[method])
    few = f" ({len(lost)} of {len(METHODS)} were run)" if len(lost) < len(METHODS) else ""
    verdict = "met" if lost[worst] <= 100 * LARGEST_LOSS else "not met"
    return (
        f"- digits, 4-bit weights within 1 point of floating point, mean of the seeds{few}: {verdict}; "
        f"the most is {lost[worst]:.2f} ({worst})"
    )


def _by_bits(found: Sequence[Width], method: str) -> dict[int, list[float]]:
    by_bits = {
        bits: {one.seed: one.right for one in found if (one.method, one.bits) == (method, bits)} for bits in WIDTHS
    }
    seeds = set.intersection(*(set(values) for values in by_bits.values()))
    return {bits: [values[seed] for seed in sorted(seeds)] for bits, values in by_bits.items()} if seeds else {}


def _width_cells(values: Mapping[int, Sequence[float]]) -> list[str]:
    lost = statistics.mean(values[0]) - statistics.mean(values[4])
    return [*(spread(values[bits], share) for bits in WIDTHS), f"{100 * lost:+.2f} points"]


def step_table(rounds: int) -> list[str]:
    """A training step without optimizer on one thread, in processor time; medians, measured in turn round by round."""
    # as training does
    keep_freed_memory()
    torch.manual_seed(0)
    x = (torch.rand(STEPS, BATCH, SIZES[0]) < RATE).float()
    y = torch.randint(SIZES[-1], (BATCH,))
    lines = []
    for recurrent in (False, True):
        plain, exact = (_network(recurrent, bits) for bits in (None, 8))
        runs = [_step(plain, x, y), _step(exact, x, y), _rounding(exact)]
        times = [_timed(runs) for _ in range(rounds + 1)][1:]
        seconds = [statistics.median(column) for column in zip(*times, strict=True)]
        ratio = statistics.median(chip / free for free, chip, _ in times)
        rounding = statistics.median(rounded / chip for _, chip, rounded in times)
        name = "-".join(str(size) for size in SIZES) + (", hidden layers recurrent" if recurrent else "")
        lines.append(
            (
                name,
                f"{1e3 * seconds[0]:.0f} ms",
                f"{1e3 * seconds[1]:.0f} ms",
                f"{ratio:.2f}",
                f"{100 * rounding:.0f} %",
            )
        )
    return page.table(STEP_HEADINGS, lines)


def _network(recurrent: bool, bits: int | None) -> SpikingNetwork:
    layers = tuple(LayerConfig(size=size, recurrent=recurrent) for size in SIZES[1:-1])
    torch.manual_seed(0)
    return build_network(NetworkConfig(layers, batch_norm=False, chip_aware=bits), (SIZES[0],), SIZES[-1])


def _step(network: SpikingNetwork, x: torch.Tensor, y: torch.Tensor) -> Callable[[], None]:
    def run() -> None:
        network.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(network(x).sum(0), y).backward()

    return run


def _rounding(network: SpikingNetwork) -> Callable[[], None]:
    """The weights to the chip's words and their gradients back, once for every layer."""

    def run() -> None:
        network.zero_grad(set_to_none=True)
        for _, block in network.spiking_blocks():
            layer = block.tensors()
            parts = [part for part in (layer.weight, layer.bias, layer.recurrent) if part is not None]
            torch.autograd.backward(parts, [torch.ones_like(part) for part in parts])

    return run


def _timed(runs: Sequence[Callable[[], None]]) -> list[float]:
    seconds = []
    for run in runs:
        begin = time.process_time()
        run()
        seconds.append(time.process_time() - begin)
    return seconds


def held_out_share(recipe: Recipe) -> float:
    """Accuracy on a held-out fifth of the training set, of a network trained on the rest; the test set is not read."""
    rest, held = dataset_of(recipe).hold_out(HELD_OUT, recipe.training.seed)
    assert held is not None
    method = get_method(recipe.training.method)(recipe.network, recipe.training, recipe.dt)
    method.fit(rest)
    return right(method, replace(rest, x_test=held.x_train, y_test=held.y_train))


def recipe_of(text: str, path: Path) -> Recipe:
    """A recipe from its text; raises InputError that names the path."""
    return checked_recipe(tomllib.loads(text), path)
