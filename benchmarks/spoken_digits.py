"""Spoken digits through 16 channels, trained on in the integers of Loihi 2 and of Xylo Audio 2 by the same loop.

    python benchmarks/spoken_digits.py RUN --data FOLDER [--epochs 6]

RUN: a folder with the recipe.toml (benchmarks/spoken_digits.toml) and model.nir of the float network; FOLDER: the
recordings of FSDD, 0 to 7, as Xylo has eight outputs. For each chip `sp.torch.module` is trained by cross entropy of
the spike counts, from the float network on; test recordings are those of the data set's authors.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

import spikeport as sp
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.report.units import estimate, percent
from spikeport.run import stages
from spikeport.run.float_output import float_output
from spikeport.run.measures import compare_devices, output_of
from spikeport.run.recipe import load_recipe
from spikeport.trainer.data.dataset import Dataset

CHIPS = ("loihi2", "xylo_audio2")


def main() -> None:
    """Train for both chips and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--learning-rate", type=float, default=0.002)
    options = parser.parse_args()
    recipe = load_recipe(options.run / "recipe.toml").model_copy(update={"data": str(options.data)})
    data = stages.dataset_of(recipe)
    print("| | accuracy | spikes equal to its module's | energy per inference | latency |")
    print("|---|---:|---:|---:|---:|")
    for chip in CHIPS:
        measure(options.run / "model.nir", chip, data, options.epochs, options.learning_rate)


def measure(model: Path, chip: str, data: Dataset, epochs: int, rate: float) -> None:
    """A chip's rows: compiled from the float network, and trained on."""
    x, y = time_first(data.x_train[:]), torch.from_numpy(data.y_train)
    test, labels = time_first(data.x_test[:]), data.y_test
    sample = x[:, :64].numpy().astype(np.uint8)
    compiled = sp.compile(model, chip=chip, calibrate=sample)
    graph = compiled.source
    assert graph is not None
    wanted = float_output(graph, compiled.options, compiled.program, test.numpy().astype(np.int32), "float")
    print(f"| float | {percent(float(np.mean(wanted.sum(0).argmax(1) == labels)))} | | | |")
    row(f"{chip}, compiled", compiled, test, labels, None)
    module = sp.torch.module(model, chip=chip, calibrate=sample)
    train(module, x, y, epochs, rate)
    row(f"{chip}, trained on", module.compile(), test, labels, module)
    for cost in compare_devices(sizes_of(module.compile()), ["microcontroller"]):
        if cost.precision == "int8" and cost.batch == 1:
            print(
                f"| ANN of its size, int8, {cost.device} | | | {joules(cost.energy)} | {estimate(cost.latency, 's')} |"
            )


def row(name: str, network: Any, x: torch.Tensor, labels: np.ndarray, module: Any) -> None:
    """Print one row."""
    run = network.simulate(x.numpy().astype(np.uint8))
    output = output_of(network.program, run.result, len(x))
    answers, report = output.sum(0).argmax(1), run.profile()
    equal = (
        "" if module is None else percent(float(np.mean(output == module(x).detach().numpy().reshape(output.shape))))
    )
    accuracy = percent(float(np.mean(answers == labels)))
    print(
        f"| {name} | {accuracy} | {equal} | {joules(report.energy_j)} | {estimate(report.latency_s, 's')} |", flush=True
    )


def train(module: Any, x: torch.Tensor, y: torch.Tensor, epochs: int, rate: float) -> None:
    """Cross entropy of spike counts, the rate relative to the size of each parameter's numbers."""
    groups = [{"params": [p], "lr": rate * float(p.detach().abs().mean() + 1e-9) * 10} for p in module.parameters()]
    optimiser = torch.optim.Adam(groups)
    order = torch.Generator().manual_seed(0)
    for epoch in range(epochs):
        for group in optimiser.param_groups:
            group["lr"] *= 1 if epoch < epochs // 2 else 0.5
        for batch in torch.randperm(x.shape[1], generator=order).split(64):
            optimiser.zero_grad()
            counts = module(x[:, batch]).sum(0)
            torch.nn.functional.cross_entropy(counts / 3, y[batch]).backward()
            optimiser.step()


def time_first(samples: Any) -> torch.Tensor:
    """(samples, steps, channels) -> (steps, samples, channels)."""
    return torch.from_numpy(np.ascontiguousarray(np.swapaxes(np.asarray(samples), 0, 1))).float()


def sizes_of(network: Any) -> Any:
    """An ANN of the network's layers."""
    from spikeport.run.ann_sizes import twin_sizes_of

    return twin_sizes_of(network.program)


def joules(value: Estimate) -> str:
    """Typical value and range."""
    return estimate(value, "J")


if __name__ == "__main__":
    main()
