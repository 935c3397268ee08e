"""Recipes: one TOML file with data, network, training, chip and the devices to compare with."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spikeport.common.accelerator import torch_device
from spikeport.common.errors import InputError, nearest, nearest_file, reason
from spikeport.common.file_kinds import FileKind, file_kind
from spikeport.common.limits import MOST_STEPS
from spikeport.common.text_files import read_toml_file
from spikeport.exporter.compile_options import DEFAULTS, Precision, Sums
from spikeport.lava_runtime.partition.optimise import Goal
from spikeport.trainer.data.file_options import FileOptions
from spikeport.trainer.loop.augment import Augmentation
from spikeport.trainer.loop.schedule import Schedule
from spikeport.trainer.loop.spike_penalty import Sparsity
from spikeport.trainer.loop.train_config import LARGEST_SEED, TrainConfig
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig
from spikeport.trainer.settings.preset import apply_preset

from .measures import DEFAULT_DEVICES

MOST_SEEDS = 1000

NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
Name = Annotated[str, Field(pattern=f"^{NAME}$")]
LavaBackend = Literal["lava", "stock"]


class Recipe(BaseModel):
    """A whole run: network, data, training, chip, and the devices to compare with.

    data: the file or folder of the data set, if it is not part of the project.
    files: how the user's own files are read (dataset = "files", trainer/data/file_options.py).
    preset: a published setting (trainer/settings/presets/) for keys that the recipe omits.
    precision: "high" uses two synapses per weight where needed, "fine" finer forms even where they cost cores
    (exporter/quantisation/quantise.py).
    sums: how the chip adds what `sew` blocks join: "graded" adds once and sends payloads
    (exporter/lowering/graded_sums.py).
    optimise: what the mapping is chosen for by the cost model, at the rates of the test split: "time", "energy" or
    "cores"; default: the mapping of `check` (lava_runtime/partition/optimise.py).
    float_twin: also train the same network in floating point, to tell what training in the chip's integers costs.
    ann_epochs: the most that the ANN twin is trained for; default: 40, or 100 for numbers (trainer/twin_training.py).
    seeds: number of trainings, from training.seed, training.seed + 1, ..., on the first's split, for mean and spread.
    network, training: see trainer/network/network_config.py; chip_aware = 0: floating point (TOML has no null).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Name
    preset: str | None = None
    dataset: str
    data: str | None = None
    chip: str = "loihi2"
    precision: Precision = DEFAULTS.precision
    sums: Sums = DEFAULTS.sums
    optimise: Goal | None = None
    dt: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1e-3
    devices: tuple[str, ...] = DEFAULT_DEVICES
    backends: tuple[LavaBackend, ...] = ("lava", "stock")
    float_twin: bool = False
    ann_epochs: Annotated[int, Field(ge=1, le=MOST_STEPS)] | None = None
    seeds: Annotated[int, Field(ge=1, le=MOST_SEEDS)] = 1
    network: NetworkConfig
    training: TrainConfig = TrainConfig()
    files: FileOptions = FileOptions()


def load_recipe(path: str | Path, device: str | None = None) -> Recipe:
    """Read a recipe; raises InputError for a truncated file, an unknown key (naming the nearest) or a bad value.

    device: in place of training.device.
    """
    return checked_recipe(on_device(read_recipe(path), device), path)


def on_device(content: dict[str, Any], device: str | None) -> dict[str, Any]:
    """A recipe's content with another device, None: its own."""
    training = content.get("training", {})
    if device is not None:
        torch_device(device, "--device")
    return content if device is None or not isinstance(training, dict) else {
        **content, "training": {**training, "device": device}
    }  # fmt: skip


def read_recipe(path: str | Path) -> dict[str, Any]:
    """The content of a recipe's file, unchecked; raises InputError for a missing or truncated file."""
    if not Path(path).exists():
        raise InputError(f"{path}: no such file{nearest_file(path)}; give the path of a recipe (.toml)")
    try:
        return read_toml_file(path)
    except (OSError, UnicodeDecodeError) as error:
        unread = f"{path}: cannot be read ({reason(error)}); give the path of a recipe (.toml)"
        raise InputError(_other_kind(path) or unread) from error
    except ValueError as error:
        incomplete = f"{path}: is not a complete TOML file ({reason(error)}); correct it"
        raise InputError(_other_kind(path) or incomplete) from error


def _other_kind(path: str | Path) -> str | None:
    """The sentence for a file or folder that is recognised as something else than a recipe, None for any other."""
    kind = file_kind(path)
    if kind in (FileKind.TOML, FileKind.TEXT, FileKind.UNKNOWN, FileKind.EMPTY):
        return None
    return f"{path}: is {kind.value}; give the path of a recipe (.toml)"


def checked_recipe(content: dict[str, Any], path: str | Path) -> Recipe:
    """A recipe from the content of its file; raises InputError as load_recipe does."""
    try:
        _check_finite(content)
        # as JSON, because strict validation accepts a JSON array for a tuple, but not a list
        recipe = Recipe.model_validate_json(json.dumps(_zero_bits_are_none(apply_preset(content)), default=str))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except ValidationError as error:
        raise InputError(f"{path}: {_sentence(error.errors(include_url=False)[0])}") from error
    _check_fit(recipe, str(path))
    return recipe


def _zero_bits_are_none(content: dict[str, Any]) -> dict[str, Any]:
    network = content.get("network")
    if isinstance(network, dict) and network.get("chip_aware") == 0:
        return {**content, "network": {**network, "chip_aware": None}}
    return content


def _check_finite(value: Any, *key_path: str) -> None:
    """Raise InputError for nan and infinities, which TOML can express and no setting accepts."""
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"key {'.'.join(key_path)!r} must be a finite number, not {value}")
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            _check_finite(part, *key_path, str(key))


def _check_fit(recipe: Recipe, path: str) -> None:
    """Raise InputError for faults that would otherwise appear only after the training."""
    from spikeport.hardware_profiles.loader import load_chip, load_device
    from spikeport.trainer.data import DATASETS, check_dataset_name
    from spikeport.trainer.data.encoding import ENCODERS
    from spikeport.trainer.methods.registry import get_method
    from spikeport.trainer.settings.lookup import lookup
    from spikeport.trainer.settings.options import read_options

    from .train_recipe import check_settings

    try:
        chip = load_chip(recipe.chip)
        binary = not chip.word_widths.fixed_point().message_bits
        if recipe.sums == "graded" and binary:
            raise InputError(
                f"key 'sums': {recipe.chip}'s spikes carry no payload; leave it out or choose a chip with graded spikes"
            )
        if recipe.network.payload > 1 and binary:
            raise InputError(
                f"key 'network.payload': {recipe.chip}'s spikes carry no payload; leave it out or choose a chip with "
                "graded spikes"
            )
        if recipe.network.chip_aware is not None and chip.integers != "loihi":
            check_settings(recipe, chip)
        if recipe.network.batch_norm and recipe.training.batch_size // recipe.training.accumulate < 2:
            raise InputError(
                "key 'training.batch_size': batch norm needs at least two samples in a batch, and in each of its "
                "`accumulate` parts; increase it, or batch_norm = false"
            )
        for device in recipe.devices:
            load_device(device)
        method = get_method(recipe.training.method)
        read_options(method.Options, recipe.training.options, method.name)
        task = method.check_task(recipe.network, recipe.training).task
        if task.readout == "membrane" and binary:
            raise InputError(
                f"key 'training.task': task {task.name!r} reads the output's voltage, but {recipe.chip}'s spikes carry "
                'no payload; choose a chip with graded spikes, or a task of spikes, such as "spike_count"'
            )
        if recipe.training.seed + recipe.seeds - 1 > LARGEST_SEED:
            raise InputError(f"key 'seeds': the last seed must be at most {LARGEST_SEED}; lower training.seed or seeds")
        if recipe.network.chip_aware is None and recipe.network.sign_modes != "auto":
            raise InputError(
                "key 'network.sign_modes': has no effect on a training in floating point (chip_aware = 0); leave it "
                "out, or set chip_aware to the bits of a weight"
            )
        if recipe.network.chip_aware is None and any(layer.weight_bits for layer in recipe.network.layers):
            raise InputError(
                "key 'network.layers.weight_bits': has no effect on a training in floating point (chip_aware = 0); "
                "leave it out, or set chip_aware to the bits of the other layers"
            )
        check_dataset_name(recipe.dataset)
        if recipe.files != FileOptions() and recipe.dataset in DATASETS and recipe.dataset != "files":
            raise InputError(f"key 'files': data set {recipe.dataset!r} does not use it; set dataset = \"files\"")
        lookup("encoding", recipe.training.encoding, ENCODERS)
        torch_device(recipe.training.device, "key 'training.device'")
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _sentence(error: Any) -> str:
    *table, key = error["loc"] or ("recipe",)
    name = ".".join(str(part) for part in error["loc"])
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = _known_keys(tuple(table))
        return f"key {name!r} is unknown{nearest(str(key), known)}; known keys are {', '.join(known)}"
    if error["type"] in ("missing", "missing_argument"):
        return f"key {name!r} is missing; add it"
    message = str(error["msg"]).removeprefix("Value error, ")
    # a check of a whole table names the key itself
    shown = "" if isinstance(error["input"], dict) else f", not {error['input']!r}"
    return f"key {name!r}: {message[0].lower()}{message[1:]}{shown}"


def _known_keys(table: tuple[int | str, ...]) -> list[str]:
    tables: dict[str, type[Any]] = {
        "network": NetworkConfig,
        "layers": LayerConfig,
        "training": TrainConfig,
        "augment": Augmentation,
        "schedule": Schedule,
        "sparsity": Sparsity,
        "files": FileOptions,
    }
    names = [part for part in table if isinstance(part, str)]
    return [field.name for field in fields(tables[names[-1]])] if names else list(Recipe.model_fields)
