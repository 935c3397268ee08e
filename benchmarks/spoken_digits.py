"""Spoken digits through 16 channels: one network, trained by one loop in the integers of Loihi 2 and of Xylo Audio 2.

    python benchmarks/spoken_digits.py FOLDER [--epochs 12] [--seed 0]

FOLDER: the recordings of FSDD. Digits 0 to 7, as Xylo has eight outputs; recordings 0 to 4 of each speaker and digit
are the test, as the data set's authors have it. A network of 16-63-8 CUBA-LIF neurons with recurrent hidden weights
starts untrained, once for each chip and once in floating point (the same equations in PyTorch); Adam, cross entropy of
the spike counts. The last accuracy is reported, not the best.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import nir
import numpy as np
import torch
from torch import Tensor, nn

import spikeport as sp
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.report.units import estimate, percent
from spikeport.run.ann_sizes import twin_sizes_of
from spikeport.run.measures import compare_devices
from spikeport.trainer.data.readers.cochlea import Cochlea
from spikeport.trainer.data.readers.recordings import read_recording
from spikeport.trainer.data.sets.fsdd import NAME, TEST_RECORDINGS
from spikeport.trainer.neuron_step.surrogates import surrogate

CHIPS = ("loihi2", "xylo_audio2")
HIDDEN, DIGITS, CHANNELS, STEPS, DT = 63, 8, 16, 80, 1e-2
SYNAPTIC, MEMBRANE = 4, 16


def recordings(folder: Path) -> tuple[Tensor, Tensor, np.ndarray]:
    """Spikes (steps, recordings, channels), digits, and which recordings are the test."""
    cochlea = Cochlea(channels=CHANNELS, steps=STEPS, step_seconds=DT)
    spikes, digits, test = [], [], []
    for file in sorted(folder.glob("*.wav")):
        match = NAME.fullmatch(file.name)
        if match and int(match[1]) < DIGITS:
            spikes.append(cochlea.spikes(read_recording(file, cochlea.rate)))
            digits.append(int(match[1]))
            test.append(int(match[3]) < TEST_RECORDINGS)
    return torch.from_numpy(np.stack(spikes, axis=1)).float(), torch.tensor(digits), np.array(test)


def untrained(seed: int) -> nir.NIRGraph:
    """The network before training."""
    random = np.random.default_rng(seed)

    def weights(targets: int, sources: int, size: float) -> nir.Linear:
        return nir.Linear((random.normal(0.2, 1, (targets, sources)) * size / np.sqrt(sources)).astype(np.float32))

    def neurons(count: int) -> nir.CubaLIF:
        one = np.ones(count)
        times = one * SYNAPTIC * DT, one * MEMBRANE * DT
        return nir.CubaLIF(*times, one * MEMBRANE, one * 0, one, w_in=one * SYNAPTIC)

    nodes = {
        "input": nir.Input({"input": np.array([CHANNELS])}), "w1": weights(HIDDEN, CHANNELS, 0.25),
        "hidden": neurons(HIDDEN), "recurrent": weights(HIDDEN, HIDDEN, 0.1), "w2": weights(DIGITS, HIDDEN, 0.25),
        "digits": neurons(DIGITS), "output": nir.Output({"output": np.array([DIGITS])}),
    }  # fmt: skip
    edges = [
        ("input", "w1"), ("w1", "hidden"), ("hidden", "recurrent"), ("recurrent", "hidden"), ("hidden", "w2"),
        ("w2", "digits"), ("digits", "output"),
    ]  # fmt: skip
    return nir.NIRGraph(nodes, edges, metadata={"dt": DT})


class Floating(nn.Module):
    """The network in floating point; reset by subtraction."""

    def __init__(self, graph: nir.NIRGraph) -> None:
        super().__init__()
        self.w1, self.recurrent, self.w2 = (
            nn.Parameter(torch.from_numpy(graph.nodes[name].weight)) for name in ("w1", "recurrent", "w2")
        )

    def forward(self, x: Tensor) -> Tensor:
        """Spikes (steps, batch, digits) for spikes (steps, batch, channels)."""
        sent, fire = x.new_zeros(x.shape[1], HIDDEN), surrogate("atan")
        u, v = (x.new_zeros(x.shape[1], HIDDEN) for _ in range(2))
        u_out, v_out = (x.new_zeros(x.shape[1], DIGITS) for _ in range(2))
        out = []
        for arriving in x @ self.w1.T:
            u = u * (1 - 1 / SYNAPTIC) + arriving + sent @ self.recurrent.T
            v = v * (1 - 1 / MEMBRANE) + u
            sent = fire(v - 1, 0.5)
            v = v - sent
            u_out = u_out * (1 - 1 / SYNAPTIC) + sent @ self.w2.T
            v_out = v_out * (1 - 1 / MEMBRANE) + u_out
            out.append(fire(v_out - 1, 0.5))
            v_out = v_out - out[-1]
        return torch.stack(out)


def train(module: nn.Module, x: Tensor, y: Tensor, epochs: int, seed: int) -> None:
    """Adam at 0.02 for every number relative to the mean of its kind, on a cosine."""
    groups = [{"params": [p], "lr": _rate(p)} for p in module.parameters()]
    optimiser, order = torch.optim.Adam(groups), torch.Generator().manual_seed(seed)
    batches = -(-x.shape[1] // 64)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * batches)
    for _ in range(epochs):
        for batch in torch.randperm(x.shape[1], generator=order).split(64):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(module(x[:, batch]).sum(0) / 2, y[batch]).backward()
            optimiser.step()
            schedule.step()


def _rate(parameter: nn.Parameter) -> float:
    return 0.4 * float(parameter.detach().abs().mean()) or 0.02


def accuracy(spikes: Any, y: Tensor) -> str:
    """Share of recordings whose digit has the most spikes."""
    winners = np.asarray(spikes, np.float64).sum(0).argmax(1)
    return percent(float(np.mean(winners == y.numpy())))


def main() -> None:
    """Train and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    x, y, test = recordings(options.folder)
    graph, teach = untrained(options.seed), (x[:, ~test], y[~test])
    print(f"{len(teach[1])} recordings to train, {test.sum()} to test, {options.epochs} epochs, seed {options.seed}\n")
    print("| | accuracy | spikes equal to training's | energy per inference | latency |")
    print("|---|---:|---:|---:|---:|")
    floating = Floating(graph)
    train(floating, *teach, options.epochs, options.seed)
    print(f"| floating point | {accuracy(floating(x[:, test]).detach(), y[test])} | | | |", flush=True)
    for chip in CHIPS:
        sample = x[:, ~test][:, ::30].numpy().astype(np.uint8)
        module = sp.torch.module(graph, chip, calibrate=sample, reset="subtract")
        train(module, *teach, options.epochs, options.seed)
        row(chip, module, x[:, test], y[test])
    for cost in compare_devices(twin_sizes_of(module.compile().program), ["microcontroller"]):
        if cost.precision == "int8" and cost.batch == 1:
            print(f"| ANN of its size, {cost.device}, int8 | | | {costs(cost.energy, cost.latency)} |")


def row(chip: str, module: Any, x: Tensor, y: Tensor) -> None:
    """The chip's integers in the emulator."""
    network = module.compile()
    run = network.simulate(x.numpy().astype(np.uint8))
    spikes = run.spikes[network.program.pipeline_steps :]
    equal = percent(float(np.mean(spikes == module(x).detach().numpy())))
    report = run.profile()
    print(f"| {chip} | {accuracy(spikes, y)} | {equal} | {costs(report.energy_j, report.latency_s)} |", flush=True)


def costs(energy: Estimate, latency: Estimate) -> str:
    """Typical values and ranges."""
    return f"{estimate(energy, 'J')} | {estimate(latency, 's')}"


if __name__ == "__main__":
    main()
