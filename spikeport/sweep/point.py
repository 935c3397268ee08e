"""Work of a sweep's worker: trains a network, measures a point."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spikeport.common.errors import InputError
from spikeport.common.files import make_folder, shortened, write_text
from spikeport.common.json_text import json_text
from spikeport.exporter.from_torch import network_to_nir
from spikeport.hardware_profiles.loader import load_chip
from spikeport.lava_runtime.partition.optimise import mapping_for
from spikeport.lava_runtime.profiling.profile import profile_run
from spikeport.lava_runtime.simulate import simulate
from spikeport.run import stages
from spikeport.run.claim import remove_unfinished
from spikeport.run.compile_recipe import compile_recipe, options_of
from spikeport.run.recipe import Recipe, checked_recipe
from spikeport.run.run_folder import RunFolder
from spikeport.run.train_recipe import check_network
from spikeport.summary.base import spread
from spikeport.trainer.loop.threads import torch_threads
from spikeport.trainer.loop.training_loop import DivergedError
from spikeport.trainer.methods.registry import load_trained

from .grid import Point, Values, with_values
from .scored import scored

_LONGEST_NAME = 200


@dataclass(frozen=True)
class Job:
    """A point of a sweep; content: the recipe's file, parsed; context: its path; folder: of the sweep."""

    point: Point
    content: dict[str, Any]
    context: str
    folder: Path

    @property
    def recipe(self) -> Recipe:
        """The recipe of this point; raises InputError for an invalid value."""
        chip = {key: value for key, value in self.point.compiled.items() if key == "chip"}
        return checked_recipe(with_values(self.content, {**self.point.trained, **chip}), self.context)

    @property
    def changed(self) -> Values:
        """Compile options in which this point differs from the recipe."""
        return {key: value for key, value in self.point.compiled.items() if key != "chip"}

    @property
    def trained(self) -> RunFolder:
        """The folder of this point's network, which other points may share."""
        chip = self.point.compiled.get("chip", self.content.get("chip", Recipe.model_fields["chip"].default))
        # in integers that are not Loihi's a network is trained for one chip
        values = {**self.point.trained, **({} if load_chip(chip).integers == "loihi" else {"chip": chip})}
        name = ",".join(f"{key}={value}" for key, value in values.items()) or "as_the_recipe_says"
        plain = "".join(c if c.isalnum() or c in ",=._-" else "_" for c in name)
        # two values may differ only in what a file's name cannot hold
        if plain != name or len(os.fsencode(plain)) > _LONGEST_NAME:
            digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
            plain = f"{shortened(plain, _LONGEST_NAME - len(digest) - 1)}-{digest}"
        return RunFolder(self.folder / "trained" / plain)

    @property
    def diverged(self) -> Path:
        """The file with the reason if the loss did not stay finite."""
        return self.trained.path / "diverged.txt"

    @property
    def is_trained(self) -> bool:
        """Whether training has ended, with a network or without one."""
        return self.trained.network.is_file() or self.diverged.is_file()

    def __str__(self) -> str:
        return "the point " + (", ".join(f"{key}={value}" for key, value in self.point.values.items()))

    @property
    def file(self) -> Path:
        """The result's file; its name depends on the recipe, the values and the chip's constants."""
        recipe = self.recipe
        chip = load_chip(recipe.chip).model_dump_json()
        _check_options(recipe, self.changed)
        identity = json.dumps([self.content, self.point.values, chip], sort_keys=True, default=str)
        return self.folder / "points" / f"{hashlib.sha256(identity.encode()).hexdigest()[:16]}.json"


def _check_options(recipe: Recipe, changed: Values) -> None:
    """Raises InputError for an invalid value of a compile option."""
    options: Any = changed
    replace(options_of(recipe), **options)


def train(job: Job) -> None:
    """Train a point's network, or resume it; writes a file with the reason if the loss is not finite."""
    recipe, folder = job.recipe, job.trained
    make_folder(folder.path)
    remove_unfinished(folder.path)
    try:
        # the same weights for any number of workers, which have one thread each
        with torch_threads(recipe.training.threads or 1):
            data = stages.dataset_of(recipe)
            check_network(recipe, data)
            stages.train_network(recipe, folder, data, resume=True, progress=False)
    except DivergedError as error:
        write_text(job.diverged, f"{error}\n")


def measure(job: Job) -> None:
    """Compile, simulate and profile a point; stores the results, or the reason of a failure."""
    try:
        results = _measured(job)
    except InputError as error:
        results = {"error": str(error)}
    write_text(job.file, json_text({"values": job.point.values, **results}, indent=2) + "\n")


def _measured(job: Job) -> dict[str, Any]:
    if not job.trained.network.is_file():
        raise InputError(job.diverged.read_text(encoding="utf-8").strip())
    recipe = job.recipe
    method, chip = load_trained(job.trained.network), load_chip(recipe.chip)
    program = compile_recipe(recipe, network_to_nir(method.spiking_network), job.context, **job.changed)
    data = stages.dataset_of(recipe)
    x = method.encode(data.x_test)
    result = simulate(program, x, "emulator", record="layers", threads=1)
    mapping = mapping_for(program, chip, recipe.optimise, result.neuron_counts, result.steps)
    profile = profile_run(program, result, chip, x, mapping, threads=1)
    objective = method.objective
    answers = stages.chip_answers(objective, program, result, method.train_config.steps)
    return {
        **scored(objective.metric, objective.metric.measure(answers, data.y_test)),
        **spread("energy", "j", profile.energy),
        **spread("latency", "s", profile.latency),
        "energy_delay_js": profile.energy.typical * profile.latency.typical,
        "per_second_pipelined": profile.pipelined.typical,
        "spikes": profile.total("spikes"),
        "synops": profile.total("synops"),
        "cores": profile.mapping.cores,
        "chips": profile.mapping.chips,
        "fits": profile.mapping.fits,
        "test_samples": len(data.y_test),
    }
