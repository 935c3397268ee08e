"""What a trained network does on the chip: accuracy, equal spikes, cores, spikes, energy.

    spikeport train recipes/cifar10_sew_resnet.toml --out RUN
    python benchmarks/trained.py RUN [--samples 10000] [--lava 200]

RUN: the folder of a training; SPIKEPORT_DATA: where its data are. The test part, or random samples of it, runs in
the emulator; spikes and energy are those of a thousand of them, and of a few every spike and state is also compared
with stock Lava. `spikeport run` does more, and trains an ANN.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from spikeport.exporter.from_torch import network_to_nir
from spikeport.exporter.mapping import core_count
from spikeport.hardware_profiles.loader import load_chip
from spikeport.lava_runtime.partition.optimise import mapping_for
from spikeport.lava_runtime.profiling.profile import profile_run
from spikeport.report.units import estimate
from spikeport.run import stages
from spikeport.run.compile_recipe import compile_recipe
from spikeport.run.recipe import load_recipe
from spikeport.run.run_folder import RunFolder
from spikeport.trainer.methods.registry import load_trained

# samples at once
PART = 1000


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--lava", type=int, default=200, help="samples that also run in stock Lava; 0: none")
    parser.add_argument("--samples", type=int, help="random samples of the test part; default: all")
    arguments = parser.parse_args()
    folder = RunFolder(arguments.run)
    recipe, method = load_recipe(folder.recipe), load_trained(folder.network)
    chip, data = load_chip(recipe.chip), stages.dataset_of(recipe)
    # folders of images are read class by class
    chosen = np.random.default_rng(0).permutation(len(data.y_test))[: arguments.samples]
    data = replace(data, x_test=data.x_test[chosen], y_test=data.y_test[chosen])
    program = compile_recipe(recipe, network_to_nir(method.spiking_network), "network")
    x, samples = method.encode(data.x_test), len(data.y_test)
    objective, answers, equal, seconds = method.objective, [], 0.0, 0.0
    for start in range(0, samples, PART):
        part = slice(start, start + PART)
        some = replace(data, x_test=data.x_test[part], y_test=data.y_test[part])
        begin = time.perf_counter()
        result = stages.simulate_test(program, x[:, part], "emulator", None, math.inf)
        seconds += time.perf_counter() - begin
        answers.append(stages.chip_answers(objective, program, result, len(x)))
        equal += stages.equal_spikes(method, some, program, result) * len(some.y_test) / samples
        if not start:
            mapping = mapping_for(program, chip, recipe.optimise, result.neuron_counts, result.steps)
            profile = profile_run(program, result, chip, x[:, part], mapping)
            sent = sum(counts.mean() for counts in result.counts().values())
    trained = objective.metric.measure(method.predict(data.x_test), data.y_test)
    fixed = objective.metric.measure(np.concatenate(answers), data.y_test)
    error = math.sqrt(fixed * (1 - fixed) / samples)
    print(f"accuracy: {trained:.4f} as trained, {fixed:.4f} on the chip, standard error {error:.4f}")
    print(f"equal spikes of {samples} samples: {equal:.4f}")
    print(f"cores: {core_count(program, chip)} of {chip.title}, steps: {len(x)}, spikes per inference: {sent:,.0f}")
    print(f"energy per inference (estimate): {estimate(profile.energy, 'J')}")
    print(f"emulator: {samples / seconds:.0f} samples/s")
    if arguments.lava:
        few = x[:, : arguments.lava]
        both = [stages.simulate_test(program, few, backend, None, 3600) for backend in ("emulator", "stock")]
        print(f"stock Lava, {few.shape[1]} samples, every spike and state the same: {stages.equal_to(*both)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
