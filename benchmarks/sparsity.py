"""The accuracy lost with fewer spikes: a recipe trained with rising penalties on spikes, or for target rates.

    python benchmarks/sparsity.py recipes/digits.toml [--penalties 0,0.001,0.003,0.01,0.03] [--targets 0.05,0.02]
        [--epochs N] [--out RUN]

Prints the penalty or the target rate, test accuracy on chip integers, spikes of all layers and energy (an estimate) of
one inference, and each layer's spikes per neuron and step. The same seed gives the
same table. RUN: the folder of a finished run, whose report then shows the curve from RUN/sparsity.json.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from spikeport.common.files import write_text
from spikeport.exporter.from_torch import network_to_nir
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.profiling.profile import profile_run
from spikeport.lava_runtime.simulate import simulate
from spikeport.report import write_report
from spikeport.report.sparsity import SparsityCurve, SparsityPoint
from spikeport.run.compile_recipe import compile_recipe
from spikeport.run.recipe import Recipe, load_recipe
from spikeport.run.stages import answers, dataset_of
from spikeport.trainer.data import Dataset
from spikeport.trainer.methods.registry import get_method


def main() -> None:
    """Print the table, and save it with --out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--penalties", default="0,0.001,0.003,0.01,0.03")
    parser.add_argument("--targets", default="")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    recipe = load_recipe(arguments.recipe)
    if arguments.epochs:
        recipe = recipe.model_copy(update={"training": replace(recipe.training, epochs=arguments.epochs)})
    data = dataset_of(recipe)
    wanted: list[tuple[float, tuple[float, ...]]] = [(float(value), ()) for value in arguments.penalties.split(",")]
    wanted += [(0.0, (float(value),)) for value in arguments.targets.split(",") if value]
    print("    asked for  accuracy  spikes    energy  rates of layers")
    points = []
    for penalty, target in wanted:
        point, rates = measure(recipe, data, penalty, target)
        points.append(point)
        shown = " ".join(f"{rate:.4f}" for rate in rates)
        print(f"{point.asked:>13} {point.accuracy:9.4f} {point.spikes:7.0f} {point.energy_j:9.2e}  {shown}", flush=True)
    if arguments.out is not None:
        curve = SparsityCurve(test_samples=len(data.y_test), points=tuple(points))
        write_text(arguments.out / "sparsity.json", json.dumps(curve.model_dump(), indent=2) + "\n")
        print(write_report(arguments.out))


def measure(
    recipe: Recipe, data: Dataset, penalty: float, target: tuple[float, ...]
) -> tuple[SparsityPoint, list[float]]:
    """Train with that penalty, or for that rate, and measure the test set on chip integers; also rates of layers."""
    sparsity = replace(recipe.training.sparsity, penalty=penalty, target=target)
    training = replace(recipe.training, sparsity=sparsity)
    method = get_method(training.method)(recipe.network, training, recipe.dt).fit(data, progress=False)
    chip = load_chip(recipe.chip)
    program = compile_recipe(recipe, network_to_nir(method.spiking_network))
    x = method.encode(data.x_test)
    result = simulate(program, x, "emulator", record="layers")
    profile = profile_run(program, result, chip, x)
    inputs = {port.name for port in program.inputs}
    point = SparsityPoint(
        penalty=penalty,
        target=target,
        accuracy=float(np.mean(answers(program, result, len(x)) == data.y_test)),
        spikes=profile.total("spikes"),
        energy_j=profile.energy.typical,
        energy_low_j=profile.energy.low,
        energy_high_j=profile.energy.high,
    )
    return point, [n.spikes / (n.neurons * len(x)) for n in profile.layers if n.name not in inputs]


if __name__ == "__main__":
    main()
