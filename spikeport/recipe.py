"""Recipes: one TOML file says data, network, training, chip and what to compare with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hardware_profiles.errors import InputError, nearest, reason
from trainer.config import LayerConfig, NetworkConfig, TrainConfig

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Layer(_Table):
    """One hidden layer, see trainer.config.LayerConfig."""

    kind: Literal["dense", "conv"] = "dense"
    size: int = 128
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    dilation: int = 1
    groups: int = 1


class Network(_Table):
    """The hidden layers and their neurons, see trainer.config.NetworkConfig."""

    layers: list[Layer] = Field(min_length=1)
    neuron: Literal["lif", "cuba_lif"] = "lif"
    du: float = 0.5
    dv: float = 0.1
    vth: float = 1.0
    batch_norm: bool = True
    surrogate: str = "atan"
    surrogate_width: float = 0.5
    train_decays: bool = False
    # TOML has no null: 0 stands for training in floating point
    chip_aware: int = Field(default=8, ge=0, le=8)


class Training(_Table):
    """How to train, see trainer.config.TrainConfig."""

    method: str = "bptt"
    epochs: int = 40
    batch_size: int = 64
    learning_rate: float = 5e-3
    weight_decay: float = 1e-2
    label_smoothing: float = 0.0
    norm_epochs: float = 0.6
    gradient_norm: float = 1.0
    seed: int = 0
    steps: int = 16
    encoding: str = "integrate"


class Recipe(_Table):
    """A whole run: what to train on what, for which chip, compared with which devices."""

    name: Name
    dataset: str
    chip: str = "loihi2"
    dt: float = Field(default=1e-3, gt=0)
    devices: list[str] = Field(default_factory=lambda: ["server_cpu", "desktop_gpu", "jetson_tx1"])
    backends: list[Literal["lava", "stock"]] = ["lava", "stock"]
    network: Network
    training: Training = Training()

    def network_config(self) -> NetworkConfig:
        """The network as the trainer takes it; raises InputError for values it refuses."""
        values = self.network.model_dump()
        layers = tuple(LayerConfig(**layer) for layer in values.pop("layers"))
        values["chip_aware"] = values["chip_aware"] or None
        return NetworkConfig(layers=layers, **values)

    def train_config(self) -> TrainConfig:
        """The training as the trainer takes it; raises InputError for values it refuses."""
        return TrainConfig(**self.training.model_dump())


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe; raises InputError for a truncated file, an unknown key (naming the nearest) or a bad value."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({reason(error)}); give the path of a recipe (.toml)") from error
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: is no whole TOML file ({reason(error)}); mend it there") from error
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {_sentence(error.errors(include_url=False)[0])}") from error
    _check_names(recipe, str(path))
    return recipe


def _check_names(recipe: Recipe, path: str) -> None:
    """Refuse now what would otherwise be refused after the training."""
    from hardware_profiles.loader import load_chip, load_device
    from trainer.data import DATASETS
    from trainer.encoding import ENCODERS
    from trainer.methods import get_method

    try:
        load_chip(recipe.chip)
        for device in recipe.devices:
            load_device(device)
        get_method(recipe.training.method)
        recipe.network_config()
        recipe.train_config()
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    for what, name, known in (("dataset", recipe.dataset, DATASETS), ("encoding", recipe.training.encoding, ENCODERS)):
        if name not in known:
            raise InputError(
                f"{path}: {what} {name!r} is unknown; known are {', '.join(sorted(known))}{nearest(name, known)}"
            )


def _sentence(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = _known_keys(error["loc"][:-1])
        return f"key {where!r} is unknown{nearest(str(error['loc'][-1]), known)}; known here are {', '.join(known)}"
    if error["type"] == "missing":
        return f"key {where!r} is missing; add it"
    message = str(error["msg"])
    return f"key {where!r}: {message[0].lower()}{message[1:]}, not {error['input']!r}"


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    tables: dict[str, type[BaseModel]] = {"network": Network, "training": Training, "layers": Layer}
    names = [part for part in location if isinstance(part, str)]
    model = tables[names[-1]] if names else Recipe
    return list(model.model_fields)
