"""A recipe from several seeds: each trained, compiled and run on the same test samples as the first."""

from __future__ import annotations

from dataclasses import replace

from spikeport.exporter.from_torch import network_to_nir
from spikeport.hardware_profiles.loader import load_chip
from spikeport.lava_runtime.partition.optimise import mapping_for
from spikeport.lava_runtime.profiling.profile import Profile, profile_run
from spikeport.lava_runtime.simulate import simulate
from spikeport.summary import SeedRun
from spikeport.trainer.data import Dataset

from .compile_recipe import compile_recipe
from .recipe import Recipe
from .run_folder import RunFolder
from .stages import Accuracies, chip_answers
from .train_recipe import fit_recipe


def more_seeds(recipe: Recipe) -> range:
    """The seeds after the run's own."""
    first = recipe.training.seed
    return range(first + 1, first + recipe.seeds)


def first_run(recipe: Recipe, measured: Accuracies, profile: Profile) -> SeedRun:
    """The run itself as one of the seeds."""
    return SeedRun(
        seed=recipe.training.seed,
        float=measured.float,
        fixed=measured.fixed,
        spikes=profile.total("spikes"),
        energy_j=profile.energy.typical,
    )


def run_seed(recipe: Recipe, folder: RunFolder, data: Dataset, seed: int, resume: bool) -> SeedRun:
    """Train from a seed in FOLDER/seeds/SEED and run it on the chip; raises InputError.

    data: in the split of the run's own seed, so that all are tested on the same samples.
    """
    training = replace(recipe.training, seed=seed)
    target = RunFolder(folder.path / "seeds" / str(seed))
    target.path.mkdir(parents=True, exist_ok=True)
    going_on = resume and target.checkpoint.exists()
    method = fit_recipe(recipe, training, data, target.path, resume=going_on, progress=True)
    target.keep(method.save, "network")
    program = compile_recipe(recipe, network_to_nir(method.spiking_network), f"seed {seed}")
    x = method.encode(data.x_test)
    result = simulate(program, x, "emulator", record="layers")
    chip = load_chip(recipe.chip)
    mapping = mapping_for(program, chip, recipe.optimise, result.neuron_counts, result.steps)
    profile = profile_run(program, result, chip, x, mapping)
    objective = method.objective
    return SeedRun(
        seed=seed,
        float=objective.metric.measure(method.predict(data.x_test), data.y_test),
        fixed=objective.metric.measure(chip_answers(objective, program, result, training.steps), data.y_test),
        spikes=profile.total("spikes"),
        energy_j=profile.energy.typical,
    )
