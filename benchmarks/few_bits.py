"""Few bits per weight: a recipe trained in floating point and in integers of 3 and 2 bits, then run on the chip.

    python benchmarks/few_bits.py [RECIPE] [--bits 0 3 2] [--seeds 3]

RECIPE: by default recipes/mnist10k_dense_surrogate_bn.toml; SPIKEPORT_DATA: where its data are. The whole test part
runs in the emulator; "spike for spike" is the share of its samples for which every spike of every layer is the
trainer's. 0 bits: floating point, as trained.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from methods import changed
from methods_chip import recipe_of, right

from spikeport.exporter.from_torch import network_to_nir
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.lava_runtime.result import SimulationResult
from spikeport.run import stages
from spikeport.run.compile_recipe import compile_recipe
from spikeport.run.recipe import Recipe
from spikeport.trainer.data import Dataset
from spikeport.trainer.methods.method import Method
from spikeport.trainer.methods.registry import get_method

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Train, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="?", type=Path, default=ROOT / "recipes" / "mnist10k_dense_surrogate_bn.toml")
    parser.add_argument("--bits", nargs="+", type=int, default=[0, 3, 2])
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    text = options.recipe.read_text(encoding="utf-8")
    print(f"| bits per weight | accuracy of {options.seeds} seeds | mean | below floating point | spike for spike |")
    print("| --- | --- | --- | --- | --- |")
    means: dict[int, float] = {}
    for bits in options.bits:
        recipes = [
            recipe_of(changed(text, seed=seed, chip_aware=bits), options.recipe) for seed in range(options.seeds)
        ]
        accuracies, equal = zip(*(measured(recipe, bits) for recipe in recipes), strict=True)
        means[bits] = statistics.mean(accuracies)
        lost = f"{100 * (means[0] - means[bits]):+.2f} points" if bits and 0 in means else ""
        each = ", ".join(f"{value:.4f}" for value in accuracies)
        same = f"{min(equal):.4f}" if bits else ""
        print(f"| {bits or 'floating point'} | {each} | {means[bits]:.4f} | {lost} | {same} |", flush=True)


def measured(recipe: Recipe, bits: int) -> tuple[float, float]:
    """Test accuracy, on the chip but for 0 bits, and the share of samples with equal spikes."""
    data = stages.dataset_of(recipe)
    method = get_method(recipe.training.method)(recipe.network, recipe.training, recipe.dt).fit(data)
    if not bits:
        return right(method, data), math.nan
    accuracy, program, result = on_chip(recipe, method, data)
    return accuracy, stages.equal_spikes(method, data, program, result)


def on_chip(recipe: Recipe, method: Method, data: Dataset) -> tuple[float, ChipProgram, SimulationResult]:
    """Test accuracy in the emulator, the compiled program and its run."""
    program = compile_recipe(recipe, network_to_nir(method.spiking_network), "network")
    x = method.encode(data.x_test)
    result = stages.simulate_test(program, x, "emulator", None, math.inf)
    answers = stages.chip_answers(method.objective, program, result, len(x))
    return method.objective.metric.measure(answers, data.y_test), program, result


if __name__ == "__main__":
    main()
