"""Presets: every published setting builds, and a recipe takes from one what it does not say itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hardware_profiles.errors import InputError
from spikeport.recipe import Recipe, load_recipe
from trainer.config import plan_layers
from trainer.layers import Planned, PlannedJoin, PlannedLayer
from trainer.methods import get_method
from trainer.options import read_options
from trainer.preset import presets, read_preset

SHAPES = {
    "mnist": ((1, 28, 28), 10),
    "nmnist": ((2, 34, 34), 10),
    "cifar10": ((3, 32, 32), 10),
    "cifar100": ((3, 32, 32), 100),
    "imagenette": ((3, 64, 64), 10),
    "dvs_gesture": ((2, 128, 128), 11),
    "fsdd": ((64,), 10),
}
DEPTHS = [(f"sew_resnet{d}_imagenette", d) for d in (18, 34, 50, 101, 152)]
DEPTHS += [(f"surrogate_bn_resnet{d}_{data}", d) for d in (18, 34, 50) for data in ("cifar100", "imagenette")]


def recipe(folder: Path, name: str, more: str = "") -> Recipe:
    path = folder / "recipe.toml"
    path.write_text(f'name = "mine"\npreset = "{name}"\n{more}')
    return load_recipe(path)


def planned(made: Recipe) -> list[Planned]:
    with torch.device("meta"):
        return plan_layers(made.network, *SHAPES[made.dataset])


@pytest.mark.parametrize("name", [name for name in presets() if read_preset(name)["dataset"] in SHAPES])
def test_a_recipe_can_be_a_preset_and_nothing_else(name: str, tmp_path: Path) -> None:
    made = recipe(tmp_path, name)
    method = get_method(made.training.method)
    read_options(method.Options, made.training.options, method.name)
    *_, last = planned(made)
    assert isinstance(last, PlannedLayer) and last.synapse.weight.shape[0] == SHAPES[made.dataset][1]


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
