"""Membrane backpropagation as a method: its start, thresholds, inhibition, what it refuses, and that it learns."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from spikeport.common.errors import InputError
from spikeport.trainer.data import Dataset, load_dataset
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.membrane_bp import MembraneBp
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig
from spikeport.trainer.network.spiking_network import SpikingNetwork

NETWORK = NetworkConfig((LayerConfig(size=64),), dv=0.05, batch_norm=False)
TRAINING = TrainConfig(
    method="membrane_bp",
    epochs=8,
    steps=24,
    learning_rate=0.003,
    options={"inhibition": 0.02, "output_inhibition": 0.3},
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def built(**options: object) -> SpikingNetwork:
    torch.manual_seed(0)
    return MembraneBp(NETWORK, replace(TRAINING, options=options)).build((100,), 10)


def test_weights_and_thresholds_start_as_in_the_paper() -> None:
    network = built(alpha=3.0)
    weight = network.get_parameter("layers.layer1.synapse.weight")
    limit = math.sqrt(3 / 100)
    assert 0.98 * limit < weight.abs().max() <= limit
    thresholds = network.get_parameter("layers.layer2.neuron.vth")
    assert thresholds.tolist() == pytest.approx([3 * math.sqrt(3 / 64)] * 10)


def test_a_spike_of_the_output_silences_its_neighbours_a_step_later() -> None:
    network = built(output_inhibition=0.9, alpha=2.0)
    block = network.layers["layer2"]
    with torch.no_grad():
        block.synapse.weight.zero_()
        block.synapse.weight[0, 0] = 1.0
        block.synapse.weight[1, 0] = 1.01 * block.neuron.vth[1]
        block.synapse.weight[0, 1], block.synapse.weight[1, 1] = 1.0, 1.01 * block.neuron.vth[1]
    spikes = torch.zeros(2, 1, 64)
    spikes[0, 0, 0] = spikes[1, 0, 1] = 1
    found = block(spikes)[:, 0, :2].tolist()
    # both fire at once and reset; in the next step each loses 0.9 V to the other, so the weaker one stays below V
    assert found[0] == [1, 1]
    assert found[1][1] == 0


def test_the_balance_of_thresholds_lowers_those_of_silent_neurons() -> None:
    digits = load_dataset("digits", 0)
    settings = {"threshold_rho": 1e-3, "weight_lambda": 0.0}
    method = MembraneBp(NETWORK, replace(TRAINING, options=settings))
    network = method.fresh(digits)
    x = torch.from_numpy(method.encode(digits.x_train[:32]))
    y = torch.from_numpy(digits.y_train[:32])
    with torch.no_grad():
        network.get_parameter("layers.layer1.neuron.vth")[:5] = 50.0
    method.loss(network, x, y).backward()
    slope = network.get_parameter("layers.layer1.neuron.vth").grad
    assert slope is not None
    silent = network.run(x)["layer1"].sum((0, 1)) == 0
    assert silent[:5].all() and (slope[silent] > 0).all()


def test_it_learns_digits_with_inhibition_and_leaves_the_inhibition_alone() -> None:
    digits = load_dataset("digits", 0)
    method = MembraneBp(NETWORK, TRAINING)
    start = method.fresh(digits).get_parameter("layers.layer2.recurrent.weight")
    method.fit(digits, progress=False)
    assert (method.predict(digits.x_test) == digits.y_test).mean() > 0.9
    trained = method.spiking_network
    assert torch.equal(trained.get_parameter("layers.layer2.recurrent.weight"), start)
    assert len(set(trained.get_parameter("layers.layer1.neuron.vth").tolist())) > 10


def test_it_learns_from_events_as_they_come() -> None:
    # a camera's pixel pair: the class is which of the two sees more events
    generator = np.random.default_rng(0)
    y = np.arange(120) % 2
    rates = np.where(np.eye(2)[y] > 0, 0.5, 0.2)
    x = (generator.random((120, 30, 2)) < rates[:, None]).astype(np.uint8)
    events = Dataset(x[:80], y[:80], x[80:], y[80:], (2,), 2, "events", 30)
    training = replace(TRAINING, steps=30, epochs=20, batch_size=16, learning_rate=0.03, encoding="spikes")
    method = MembraneBp(replace(NETWORK, layers=(LayerConfig(size=12),)), training).fit(events, progress=False)
    assert (method.predict(events.x_test) == events.y_test).mean() > 0.9


def test_what_it_cannot_train_is_refused() -> None:
    digits = load_dataset("digits", 0)
    with pytest.raises(InputError, match="batch_norm and train_decays"):
        MembraneBp(replace(NETWORK, batch_norm=True), TRAINING).fit(digits, progress=False)
    images = load_dataset("digits_image", 0)
    with pytest.raises(InputError, match="there are none; leave it out"):
        MembraneBp(replace(NETWORK, layers=(LayerConfig("conv", 4),)), TRAINING).fit(images, progress=False)
    with pytest.raises(InputError, match="st_rsbp or bptt"):
        MembraneBp(replace(NETWORK, layers=(LayerConfig(recurrent=True),)), TRAINING).fit(digits, progress=False)


@pytest.mark.parametrize("wrong", [{"alpha": 1.0}, {"inhibition": 1.0}, {"threshold_rho": -1.0}, {"desired": 0.0}])
def test_wrong_options_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        MembraneBp(NETWORK, replace(TRAINING, options=wrong))
