"""The float twin: the recipe's network trained in floating point, as such and rounded to the chip's integers after."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spikeport.exporter.compile import compile_graph
from spikeport.exporter.from_torch import network_to_nir
from spikeport.hardware_profiles.loader import load_chip
from spikeport.lava_runtime.simulate import simulate
from spikeport.summary import FloatTwin
from spikeport.trainer.data import Dataset
from spikeport.trainer.methods.registry import get_method

from .compile_recipe import options_of
from .recipe import Recipe
from .run_folder import RunFolder
from .stages import chip_answers

# samples that are simulated at once
_BATCH = 512


def train_float_twin(recipe: Recipe, folder: RunFolder, data: Dataset, resume: bool) -> FloatTwin:
    """Train the recipe without the chip's integers, in FOLDER/float_twin; returns its metric on the test split.

    compiled: rounded once after the training, with the recipe's weight bits. Raises InputError.
    """
    config = replace(recipe.network, chip_aware=None, mean_bits=None)
    target = RunFolder(folder.path / "float_twin")
    target.path.mkdir(parents=True, exist_ok=True)
    method = get_method(recipe.training.method)(config, recipe.training, recipe.dt)
    method.fit(data, target.path, resume and target.checkpoint.exists(), True, None)
    target.keep(method.save, "network")
    objective, targets = method.objective, data.y_test
    trained = objective.metric.measure(method.predict(data.x_test), targets)
    graph = network_to_nir(method.spiking_network)
    program = compile_graph(graph, load_chip(recipe.chip), options_of(recipe), "float twin")
    x, steps = method.encode(data.x_test), recipe.training.steps
    parts = [
        chip_answers(objective, program, simulate(program, x[:, first : first + _BATCH]), steps)
        for first in range(0, x.shape[1], _BATCH)
    ]
    return FloatTwin(trained=trained, compiled=objective.metric.measure(np.concatenate(parts), targets))
