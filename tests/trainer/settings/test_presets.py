"""Presets: every published setting builds, and a recipe takes from one what it does not say itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spikeport.common.errors import InputError
from spikeport.run.recipe import Recipe, load_recipe
from spikeport.trainer.data import Dataset
from spikeport.trainer.methods.registry import get_method
from spikeport.trainer.network.layer_specs import Planned, PlannedJoin, PlannedLayer
from spikeport.trainer.network.network_config import plan_layers
from spikeport.trainer.settings.options import read_options
from spikeport.trainer.settings.preset import presets, read_preset

SHAPES = {
    "mnist": ((1, 28, 28), 10),
    "fashion_mnist": ((1, 28, 28), 10),
    "svhn": ((3, 32, 32), 10),
    "nmnist": ((2, 34, 34), 10),
    "cifar10": ((3, 32, 32), 10),
    "cifar100": ((3, 32, 32), 100),
    "imagenette": ((3, 64, 64), 10),
    "imagenet": ((3, 224, 224), 1000),
    "dvs_gesture": ((2, 128, 128), 11),
    "cifar10_dvs": ((2, 128, 128), 10),
    "fsdd": ((64,), 10),
    "n_tidigits": ((64,), 11),
    "ti46_alpha": ((78,), 26),
    "ti46_digits": ((78,), 10),
}
TRAINS = ("nmnist", "dvs_gesture", "cifar10_dvs", "fsdd", "n_tidigits", "ti46_alpha", "ti46_digits")
DEPTHS = [(f"sew_resnet{d}_{data}", d) for d in (18, 34, 50, 101, 152) for data in ("imagenette", "imagenet")]
DEPTHS += [(f"surrogate_bn_resnet{d}_{data}", d) for d in (18, 34, 50) for data in ("cifar100", "imagenette")]


# of these a step takes seconds
LARGE = (
    "sew_",
    "surrogate_bn_",
    "soft_lif_conv_svhn",
    "soft_lif_alexnet",
    "tssl_bp_cnn_cifar10",
    "st_rsbp_r500",
    "membrane_bp_800_nmnist",
)


def _cost(name: str) -> tuple[pytest.MarkDecorator, ...]:
    return (pytest.mark.slow,) if name.startswith(LARGE) else ()


def recipe(folder: Path, name: str, more: str = "") -> Recipe:
    path = folder / "recipe.toml"
    path.write_text(f'name = "mine"\npreset = "{name}"\n{more}')
    return load_recipe(path)


def planned(made: Recipe) -> list[Planned]:
    with torch.device("meta"):
        return plan_layers(made.network, *SHAPES[made.dataset])


@pytest.mark.parametrize("name", presets())
def test_a_recipe_can_be_a_preset_and_nothing_else(name: str, tmp_path: Path) -> None:
    made = recipe(tmp_path, name)
    method = get_method(made.training.method)
    read_options(method.Options, made.training.options, method.name)
    # spike trains enter as they are, and nothing else does
    assert (made.training.encoding == "spikes") == (made.dataset in TRAINS)
    *_, last = planned(made)
    assert isinstance(last, PlannedLayer) and last.synapse.weight.shape[0] == SHAPES[made.dataset][1]


def made_data(made: Recipe) -> Dataset:
    """Two samples to train, of the data set's shape."""
    shape, classes = SHAPES[made.dataset]
    steps = made.training.steps if made.training.encoding == "spikes" else None
    draw = np.random.default_rng(0)
    if steps is None:
        x = draw.random((3, *shape), np.float32)
    else:
        x = (draw.random((3, steps, *shape)) < 0.1).astype(np.uint8)
    y = np.array([0, 1, 0])
    return Dataset(x[:2], y[:2], x[2:], y[2:], shape, classes, made.dataset, steps)


@pytest.mark.parametrize("name", [pytest.param(name, marks=_cost(name)) for name in presets()])
def test_a_training_step_reaches_the_first_layer(name: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    made = recipe(tmp_path, name)
    # weights move by their gradients alone
    training = replace(made.training, epochs=1, batch_size=2, accumulate=1, weight_decay=0.0)
    method = get_method(training.method)(made.network, training, made.dt)
    data = made_data(made)
    before = {key: value.clone() for key, value in method.fresh(data).state_dict().items()}
    method.fit(data, progress=False)
    after = method.spiking_network.state_dict()
    assert all(bool(value.isfinite().all()) for value in after.values() if value.is_floating_point())
    assert not torch.equal(after["layers.layer1.synapse.weight"], before["layers.layer1.synapse.weight"])
    assert method.predict(data.x_test).shape == (1,)


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("soft_lif_conv_mnist", 6_318_000),
        ("soft_lif_alexnet_imagenet", 61_090_496),
        ("tssl_bp_400_fashion_mnist", 477_600),
    ],
)
def test_networks_have_the_size_that_is_published(name: str, weights: int, tmp_path: Path) -> None:
    """soft_lif: table of network sizes of Hunsberger's thesis (hunse/phd, doc/thesis-spike.tex); tssl_bp: by hand."""
    parts = [part for part in planned(recipe(tmp_path, name)) if isinstance(part, PlannedLayer)]
    assert sum(part.synapse.weight.numel() for part in parts) == weights


@pytest.mark.parametrize(("name", "depth"), DEPTHS)
def test_residual_networks_have_the_depth_of_their_name(name: str, depth: int, tmp_path: Path) -> None:
    parts = planned(recipe(tmp_path, name))
    layers = {part.name for part in parts if isinstance(part, PlannedLayer)}
    # the first layer is read past a block, the others that joins read second are shortcuts and are not counted
    shortcuts = {part.reads[1] for part in parts if isinstance(part, PlannedJoin)} - {"layer1"}
    assert len(layers - shortcuts) == depth


def test_the_recipe_goes_over_the_preset_key_by_key(tmp_path: Path) -> None:
    name = "sew_resnet18_imagenette"
    own = 'dataset = "digits_image"\n[training]\nsteps = 9\n[training.options]\nidentity_start = true\n'
    made = recipe(tmp_path, name, own)
    stored = read_preset(name)
    assert made.dataset == "digits_image" and made.training.steps == 9 and made.preset is None
    assert made.training.options == {"identity_start": True}
    assert made.training.epochs == stored["training"]["epochs"] and len(made.network.layers) == 5


def test_an_unknown_preset_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"recipe.toml: unknown preset 'sew_resnet81_imagenette'; did you mean"):
        recipe(tmp_path, "sew_resnet81_imagenette")
