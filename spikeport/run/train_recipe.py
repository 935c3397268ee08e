"""Trains a recipe's network: in Loihi's integers or floating point, or at last in the integers that its chip has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from spikeport.common.errors import InputError
from spikeport.exporter.chip_integers import integers_of, quantise_by, trainer_of
from spikeport.exporter.trainable.own_integers import OwnIntegers, in_integers, put_back, without_norms
from spikeport.hardware_profiles.loader import load_chip
from spikeport.hardware_profiles.schema import ChipProfile
from spikeport.trainer.data import Dataset
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.in_integers import CHECKPOINT, phases, train_in_integers
from spikeport.trainer.methods.method import Method
from spikeport.trainer.methods.registry import get_method
from spikeport.trainer.network.spiking_network import SpikingNetwork

from .compile_recipe import options_of
from .recipe import Recipe

# samples on which the chip's integers are chosen
_SAMPLE = 32
# of the threshold: a bias as training may find it
_BIAS = 0.3


def has_own_integers(recipe: Recipe) -> bool:
    """Whether the recipe trains in integers that are not Loihi's."""
    return recipe.network.chip_aware is not None and load_chip(recipe.chip).integers != "loihi"


def check_settings(recipe: Recipe, chip: ChipProfile) -> None:
    """Raises InputError for settings with which no network is trained in this chip's own integers."""
    network, method = recipe.network, get_method(recipe.training.method)
    try:
        trainer_of(chip)
    except InputError as error:
        raise InputError(f"key 'network.chip_aware': {error}") from error
    loihis = {
        "mean_bits": network.mean_bits is not None,
        "sign_modes": network.sign_modes != "auto",
        "layers.weight_bits": any(layer.weight_bits is not None for layer in network.layers),
    }
    given = next((key for key, is_given in loihis.items() if is_given), None)
    if given is not None:
        raise InputError(
            f"key 'network.{given}': is for chips with Loihi's integers, not for {chip.name}; leave it out"
        )
    if method.loss is not Method.loss:
        raise InputError(
            f"key 'training.method': {method.name!r} has a loss of its own, which does not train in the integers of "
            f"{chip.name}; use bptt or surrogate_bn, or set chip_aware = 0"
        )
    task = method.check_task(network, recipe.training).task
    if task.readout == "membrane":
        raise InputError(
            f"key 'training.task': task {task.name!r} reads the output's voltage, which is trained in Loihi's integers "
            'only; choose a task of spikes, such as "spike_count", or set chip_aware = 0'
        )
    phases(recipe.training)


def check_network(recipe: Recipe, data: Dataset) -> None:
    """Raises InputError for a network that the recipe's chip cannot take, or be trained for, before the training.

    Only for chips with integers of their own: the network is compiled and trained for no step, with fresh weights, and
    with biases where the training finds some.
    """
    if not has_own_integers(recipe):
        return
    chip = load_chip(recipe.chip)
    method = _floating_method(recipe, phases(recipe.training)[0])
    network = method.fresh(data).cpu().eval()
    without_norms(network)
    if recipe.network.bias:
        with torch.no_grad():
            for _, block in network.spiking_blocks():
                if block.bias is not None:
                    block.bias.fill_(_BIAS * float(block.neuron.threshold.max()))
    context = f"{recipe.name}: cannot be trained for {chip.name}"
    try:
        module = _module(recipe, method, network, data)
        trained = module.trained()
        put_back(module, network)
    except InputError as error:
        raise type(error)(f"{context}: {error}") from error
    quantise_by(integers_of(chip), trained, chip, options_of(recipe), context)


def fit_recipe(
    recipe: Recipe,
    training: TrainConfig,
    data: Dataset,
    folder: Path,
    *,
    resume: bool,
    progress: bool,
    restored: Callable[[], None] | None = None,
) -> Method:
    """Train a recipe's network with these settings, the recipe's or those of another seed; raises InputError.

    Checkpoints are kept in the folder. For a chip with integers of its own, norm_epochs of the epochs are in floating
    point, the others in these integers, which are chosen on the first training samples.
    """
    if not has_own_integers(recipe):
        method = get_method(training.method)(recipe.network, training, recipe.dt)
        return method.fit(data, folder, resume, progress, restored)
    floating, whole = phases(training)
    method = _floating_method(recipe, floating).fit(data, folder, resume, progress, restored)
    network = method.spiking_network.cpu()
    without_norms(network)
    method.network_config, method.device = replace(method.network_config, batch_norm=False), torch.device("cpu")
    module = _module(recipe, method, network, data)
    going_on = resume and (folder / CHECKPOINT).exists()
    train_in_integers(method, module, data, whole, folder=folder, resume=going_on, progress=progress)
    put_back(module, network)
    method.in_integers, method.train_config = module.eval(), replace(training, options=method.train_config.options)
    return method


def _floating_method(recipe: Recipe, training: TrainConfig) -> Method:
    return get_method(training.method)(replace(recipe.network, chip_aware=None), training, recipe.dt)


def _module(recipe: Recipe, method: Method, network: SpikingNetwork, data: Dataset) -> OwnIntegers:
    sample = method.encode(data.x_train[:_SAMPLE])
    options = replace(options_of(recipe), calibration=sample)
    return in_integers(network, recipe.network, load_chip(recipe.chip), options)
