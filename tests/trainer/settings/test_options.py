"""Options of a method: read, refused, saved, part of a checkpoint's identity; and a method with a loss of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from places import ROOT
from torch import Tensor

from spikeport.common.errors import InputError
from spikeport.run.recipe import load_recipe
from spikeport.trainer.data import Dataset
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.method import Method
from spikeport.trainer.methods.registry import METHODS, load_trained
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig
from spikeport.trainer.network.spiking_network import SpikingNetwork
from spikeport.trainer.settings.options import RECIPE_RULES, read_options


@dataclass(frozen=True)
class MadeOptions:
    __pydantic_config__: ClassVar[dict[str, object]] = RECIPE_RULES

    gamma: float = 0.5
    targets: tuple[int, int] = (1, 5)

    def __post_init__(self) -> None:
        if self.gamma <= 0:
            raise InputError(f"gamma must be above 0, not {self.gamma}")


class Made(Method):
    """Squared distance of the counts from two targets, on weights that start and end scaled."""

    name: ClassVar[str] = "made"
    Options: ClassVar[type] = MadeOptions

    def prepare(self, network: SpikingNetwork, dataset: Dataset) -> None:
        with torch.no_grad():
            network.get_parameter("layers.layer1.synapse.weight").mul_(self.options.gamma)

    def loss(self, network: SpikingNetwork, x: Tensor, y: Tensor) -> Tensor:
        low, high = self.options.targets
        counts = network(x).sum(0)
        wanted = torch.full_like(counts, low).scatter(1, y[:, None], high)
        return (counts - wanted).square().mean()

    def finish(self, network: SpikingNetwork, dataset: Dataset) -> None:
        with torch.no_grad():
            network.get_parameter("layers.layer2.bias").fill_(0.125)


NETWORK = NetworkConfig((LayerConfig(size=10),), batch_norm=False, chip_aware=None)
TRAINING = TrainConfig(method="made", epochs=3, steps=6, options={"gamma": 2.0, "targets": [0, 4]})


@pytest.fixture
def data() -> Dataset:
    generator = np.random.default_rng(0)
    y = np.arange(30) % 2
    x = np.clip(y[:, None] * 0.6 + 0.3 * generator.random((30, 6)), 0, 1).astype(np.float32)
    return Dataset(x[:20], y[:20], x[20:], y[20:], (6,), 2, "made data")


def test_options_come_from_plain_values() -> None:
    assert read_options(MadeOptions, {"gamma": 2, "targets": [0, 4]}, "made") == MadeOptions(2.0, (0, 4))
    assert Made(NETWORK, TRAINING).options == MadeOptions(2.0, (0, 4))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gama": 1.0}, "method 'made' has no option 'gama'; did you mean 'gamma'\\?; it has gamma, targets"),
        ({"gamma": "1"}, "method 'made': option 'gamma': .*number, not '1'"),
        ({"targets": [1]}, "option 'targets.1'"),
        ({"gamma": -1.0}, "method 'made': gamma must be above 0, not -1.0"),
    ],
)
def test_wrong_options_are_refused_by_name(values: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Made(NETWORK, replace(TRAINING, options=values))


def test_a_recipe_with_an_option_the_method_lacks_is_refused_before_training(tmp_path: Path) -> None:
    text = (ROOT / "recipes" / "digits.toml").read_text()
    path = tmp_path / "digits.toml"
    path.write_text(text + "\n[training.options]\ngamma = 1.0\n")
    with pytest.raises(InputError, match=r"digits.toml: method 'bptt' has no option 'gamma'; it has none"):
        load_recipe(path)


def test_options_are_saved_with_defaults_and_loaded(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "made", Made)
    method = Made(NETWORK, replace(TRAINING, options={"gamma": 2.0})).fit(data, progress=False)
    method.save(tmp_path / "network.safetensors")
    loaded = load_trained(tmp_path / "network.safetensors")
    assert isinstance(loaded, Made) and loaded.options == MadeOptions(2.0, (1, 5))
    assert loaded.spiking_network.get_parameter("layers.layer2.bias").tolist() == [0.125, 0.125]
    np.testing.assert_array_equal(loaded.predict_counts(data.x_test), method.predict_counts(data.x_test))


def test_a_checkpoint_of_other_options_is_refused_and_one_of_the_same_resumed(data: Dataset, tmp_path: Path) -> None:
    whole = Made(NETWORK, TRAINING).fit(data, folder=tmp_path, progress=False)
    again = Made(NETWORK, TRAINING).fit(data, folder=tmp_path, resume=True, progress=False)
    for name, value in whole.spiking_network.state_dict().items():
        assert torch.equal(value, again.spiking_network.state_dict()[name])
    with pytest.raises(InputError, match=r"training\.options\.gamma was 2\.0, now 3\.0"):
        Made(NETWORK, replace(TRAINING, options={"gamma": 3.0})).fit(data, folder=tmp_path, resume=True)


def test_the_method_s_own_loss_is_what_is_trained(data: Dataset) -> None:
    settings = replace(TRAINING, epochs=40, learning_rate=0.05, norm_epochs=0.0)
    method = Made(NETWORK, settings).fit(data, progress=False)
    counts = method.predict_counts(data.x_test)
    own = counts[np.arange(len(counts)), data.y_test]
    other = counts[np.arange(len(counts)), 1 - data.y_test]
    assert abs(own.mean() - 4) < 1 and other.mean() < 1
