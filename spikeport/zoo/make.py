"""Makes a network of the collection from a finished run."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spikeport.common.arrays import save_array, save_arrays
from spikeport.common.errors import InputError
from spikeport.common.files import write_bytes, write_text
from spikeport.common.json_text import json_text
from spikeport.report.scores import has_interval
from spikeport.run.recipe import NAME, Recipe, load_recipe
from spikeport.run.run_folder import RunFolder
from spikeport.run.shipped import find_recipe, recipe_names
from spikeport.run.stages import dataset_of
from spikeport.summary import Bounds, Metric, Summary, read_summary
from spikeport.trainer.network.layer_specs import layers_in_words

from .card import Card
from .collection import LABELS, RECIPE, SAMPLES

__all__ = ["ORIGINS", "Origin", "make_model"]

# test samples that come with a network
FIRST = 32
LARGEST = 1 << 20


@dataclass(frozen=True)
class Origin:
    """Where data come from, and the licence that networks trained on them are passed on with."""

    source: str
    licence: str


ORIGINS = {
    "digits": Origin("scikit-learn's digits: UCI Optical Recognition of Handwritten Digits", "CC BY 4.0"),
    "digits_image": Origin("scikit-learn's digits: UCI Optical Recognition of Handwritten Digits", "CC BY 4.0"),
    "mnist10k": Origin("10,000 digits of MNIST (LeCun, Cortes & Burges)", "CC BY-SA 3.0"),
    "fsdd": Origin("Free Spoken Digit Dataset (Jackson et al.)", "CC BY-SA 4.0"),
    "friedman": Origin("made by the recipe", "MIT"),
    "switching": Origin("made by the recipe", "MIT"),
}


def make_model(run: Path, folder: Path, name: str | None, origin: Origin | None, overwrite: bool = False) -> list[Path]:
    """Write NAME.nir, its card, and the first test samples with their targets; returns the files.

    A recipe that is not one of spikeport's is written as well, NAME.toml.

    run: the folder of a finished run; name: that of its recipe if None; origin: needed where the recipe's data are not
    one of ORIGINS; overwrite: replace files that exist. Raises InputError for a run that is not finished, a network of
    over 1 MB, data of unknown origin, and files that exist.
    """
    source = RunFolder(run)
    summary, recipe = read_summary(source.summary), load_recipe(source.recipe)
    name = recipe.name if name is None else name
    if not re.fullmatch(NAME, name):
        raise InputError(
            f"{name!r} cannot be a network's name, as its files are named after it; give --name with letters, digits, "
            "'_', '-' and '.' only"
        )
    content = source.nir.read_bytes()
    if len(content) > LARGEST:
        raise InputError(
            f"{source.nir}: has {len(content):,} bytes; a network of the collection has at most {LARGEST:,}"
        )
    origin = origin or ORIGINS.get(recipe.dataset)
    if origin is None:
        raise InputError(f"{source.recipe}: the origin of its data is unknown; give --data-source and --licence")
    shipped = _is_shipped(recipe)
    endings = (".nir", SAMPLES, LABELS, ".json", *(() if shipped else (RECIPE,)))
    files = [folder / f"{name}{ending}" for ending in endings]
    there = next((path for path in files if path.exists()), None)
    if there is not None and not overwrite:
        raise InputError(f"{there}: exists already; choose another --out or --name, or --overwrite to replace it")
    command = f"spikeport run {recipe.name if shipped else name + RECIPE}"
    card = _card(name, recipe, summary, content, origin, command)
    targets = dataset_of(recipe).y_test[:FIRST]
    spikes = np.load(source.test_input, mmap_mode="r", allow_pickle=False)[:, :FIRST]
    write_bytes(files[0], content)
    save_arrays(files[1], {"input": np.ascontiguousarray(spikes)})
    save_array(files[2], targets)
    write_text(files[3], json_text(card.to_dict(), indent=2) + "\n")
    if not shipped:
        write_bytes(files[-1], source.recipe.read_bytes())
    return files


def _is_shipped(recipe: Recipe) -> bool:
    """Whether the recipe is one of spikeport's with all its settings; only where its data are may differ."""
    if recipe.name not in recipe_names():
        return False
    shipped = load_recipe(find_recipe(recipe.name))
    return recipe.model_copy(update={"data": None}) == shipped.model_copy(update={"data": None})


def _card(name: str, recipe: Recipe, summary: Summary, content: bytes, origin: Origin, command: str) -> Card:
    scores, training = summary.scores, summary.training
    if scores.float is None or scores.fixed is None or summary.per_inference is None or training is None:
        raise InputError(f"{name}: its run has no figures for the chip; run the recipe again")
    cost = summary.per_inference
    device, energy = _cheapest(summary)
    return Card(
        name=name,
        dataset=recipe.dataset,
        data_source=origin.source,
        licence=origin.licence,
        recipe=recipe.name,
        command=command,
        method=training.method,
        layers=layers_in_words(recipe.network.layers),
        seed=training.seed,
        steps=summary.steps,
        test_samples=summary.test_samples,
        metric=scores.metric,
        trained=scores.float,
        chip=scores.fixed,
        error=_standard_error(scores.metric, scores.fixed, summary.test_samples),
        ann=scores.ann,
        chip_name=summary.chip,
        cores=summary.mapping.cores if summary.mapping else 0,
        spikes=cost.spikes,
        energy_j=Bounds.of(cost.energy),
        ann_energy_j=energy,
        ann_device=device,
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _standard_error(metric: Metric, value: float, samples: int) -> float | None:
    return math.sqrt(value * (1 - value) / samples) if has_interval(metric) else None


def _cheapest(summary: Summary) -> tuple[str, Bounds | None]:
    """The device and precision on which the ANN twin costs least, with the energy of one inference."""
    costs: list[Any] = [
        (cost, f"{name}, {cost.precision}")
        for name, device in summary.ann.items()
        for cost in (device, device.int8)
        if cost is not None
    ]
    if not costs:
        return "", None
    cost, name = min(costs, key=lambda pair: pair[0].energy.typical)
    return name, Bounds.of(cost.energy)
