"""What fewer spikes cost in accuracy: a recipe trained with rising penalties on spikes, one line each.

    python benchmarks/sparsity.py recipes/digits.toml [--penalties 0,0.001,0.003,0.01,0.03] [--epochs N]

Printed: the penalty, the share of the test part answered right, spikes of all layers per sample, and each layer's
spikes per neuron and step. The same seed gives the same table.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from spikeport.recipe import Recipe, load_recipe
from spikeport.stages import dataset_of
from trainer.data import Dataset
from trainer.methods import get_method

BATCH = 256


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--penalties", default="0,0.001,0.003,0.01,0.03")
    parser.add_argument("--epochs", type=int)
    arguments = parser.parse_args()
    recipe = load_recipe(arguments.recipe)
    data = dataset_of(recipe)
    epochs = arguments.epochs or recipe.training.epochs
    print(" penalty  accuracy  spikes/sample  rates of layers")
    for penalty in (float(value) for value in arguments.penalties.split(",")):
        accuracy, spikes, rates = measure(recipe, data, penalty, epochs)
        print(f"{penalty:8.4f} {accuracy:9.4f} {spikes:14.1f}  {' '.join(f'{rate:.4f}' for rate in rates)}", flush=True)


def measure(recipe: Recipe, data: Dataset, penalty: float, epochs: int) -> tuple[float, float, list[float]]:
    """Accuracy, spikes per sample and rate of every layer on the test part, after training with that penalty."""
    sparsity = replace(recipe.training.sparsity, penalty=penalty)
    training = replace(recipe.training, sparsity=sparsity, epochs=epochs)
    method = get_method(training.method)(recipe.network, training, recipe.dt).fit(data, progress=False)
    spikes = torch.from_numpy(method.encode(data.x_test))
    sent: dict[str, float] = {}
    rates: dict[str, float] = {}
    right = 0
    with torch.no_grad():
        for start in range(0, len(data.y_test), BATCH):
            part = slice(start, start + BATCH)
            record = method.spiking_network.run(spikes[:, part])
            for name, layer in record.items():
                sent[name] = sent.get(name, 0.0) + layer.sum().item()
                rates[name] = rates.get(name, 0.0) + layer.mean().item() * layer.shape[1]
            winners = list(record.values())[-1].sum(0).argmax(1).numpy()
            right += int(np.sum(winners == data.y_test[part]))
    samples = len(data.y_test)
    return right / samples, sum(sent.values()) / samples, [rate / samples for rate in rates.values()]


if __name__ == "__main__":
    main()
