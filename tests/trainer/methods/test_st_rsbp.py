"""ST-RSBP as a method: what it refuses, forced firings, reservoirs, and that it learns with recurrent layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from spikeport.common.errors import InputError
from spikeport.trainer.data import Dataset, load_dataset
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.initialisation.reservoir import reservoir_mask
from spikeport.trainer.methods.st_rsbp import StRsbp, forced_spikes
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig
from spikeport.trainer.network.spiking_network import SpikingNetwork

NETWORK = NetworkConfig((LayerConfig(size=48, recurrent=True),), dv=0.05, batch_norm=False)
TRAINING = TrainConfig(method="st_rsbp", epochs=6, steps=24, learning_rate=0.005)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def order() -> Dataset:
    """Which of two channels fires first: the classes have equal counts, so only a memory tells them apart."""
    generator = np.random.default_rng(0)
    y = np.arange(240) % 2
    x = np.zeros((240, 24, 2), np.uint8)
    for sample, label in enumerate(y):
        x[sample, 2:9, label] = generator.random(7) < 0.8
        x[sample, 12:19, 1 - label] = generator.random(7) < 0.8
    return Dataset(x[:160], y[:160], x[160:], y[160:], (2,), 2, "order", 24)


def test_a_silent_label_is_given_evenly_spaced_firings() -> None:
    fired = torch.zeros(12, 2, 3)
    fired[5, 1, 2] = 1
    found = forced_spikes(fired, torch.tensor([1, 2]), 4)
    assert found[:, 0, 1].nonzero().flatten().tolist() == [2, 5, 8, 11]
    found[:, 0, 1] = 0
    assert torch.equal(found, fired)


def test_a_reservoir_connects_near_neurons_more_often() -> None:
    torch.manual_seed(0)
    mask = reservoir_mask((6, 6, 6), 216)
    place = torch.cartesian_prod(*(torch.arange(6.0) for _ in range(3)))
    distance = (place[:, None] - place[None]).norm(dim=-1)
    near, far = mask[(distance > 0) & (distance < 1.1)].mean(), mask[distance > 4].mean()
    # mean chance over the four kinds of pairs: .64 x .45 + .16 x (.3 + .6) + .04 x .15 = .438, times exp(-1/4)
    assert near.item() == pytest.approx(0.438 * np.exp(-0.25), abs=0.05) and far < 0.02
    with pytest.raises(InputError, match="does not hold 100"):
        reservoir_mask((6, 6, 6), 100)


def recurrent_weights(network: SpikingNetwork) -> torch.Tensor:
    return network.get_parameter("layers.layer1.recurrent.weight").detach()


def test_absent_synapses_stay_absent_and_a_fixed_reservoir_stays_as_drawn(order: Dataset) -> None:
    training = replace(TRAINING, encoding="spikes", epochs=1, options={"reservoir": [4, 4, 3]})
    fixed = replace(training, options={**training.options, "train_recurrent": False})
    start = recurrent_weights(StRsbp(NETWORK, training).fresh(order))
    trained = recurrent_weights(StRsbp(NETWORK, training).fit(order, progress=False).spiking_network)
    assert torch.equal(start != 0, trained != 0) and not torch.equal(start, trained)
    kept = recurrent_weights(StRsbp(NETWORK, fixed).fit(order, progress=False).spiking_network)
    assert torch.equal(kept, start)


@pytest.mark.parametrize("rule", ["system", "direct"])
def test_a_recurrent_layer_learns_what_counts_alone_do_not_tell(order: Dataset, rule: str) -> None:
    training = replace(TRAINING, encoding="spikes", epochs=25, options={"weight_gradient": rule})
    method = StRsbp(NETWORK, training).fit(order, progress=False)
    assert (method.predict(order.x_test) == order.y_test).mean() > 0.95


def test_several_recurrent_layers_learn_digits() -> None:
    digits = load_dataset("digits", 0)
    network = replace(NETWORK, layers=(LayerConfig(size=48, recurrent=True), LayerConfig(size=32, recurrent=True)))
    method = StRsbp(network, replace(TRAINING, epochs=10)).fit(digits, progress=False)
    assert (method.predict(digits.x_test) == digits.y_test).mean() > 0.9


def test_what_it_cannot_train_is_refused() -> None:
    digits = load_dataset("digits", 0)
    for wrong in ({"batch_norm": True}, {"train_decays": True}):
        with pytest.raises(InputError, match="batch_norm and train_decays"):
            StRsbp(replace(NETWORK, **wrong), TRAINING).fit(digits, progress=False)  # type: ignore[arg-type]
    joined = replace(NETWORK, layers=(LayerConfig("sew", 8),))
    images = load_dataset("digits_image", 0)
    with pytest.raises(InputError, match="one after another only"):
        StRsbp(joined, TRAINING).fit(images, progress=False)


@pytest.mark.parametrize("wrong", [{"desired": 0.01}, {"least_slope": 0.0}, {"margin": -1.0}, {"weight_limit": 0.0}])
def test_wrong_options_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        StRsbp(NETWORK, replace(TRAINING, options=wrong))
