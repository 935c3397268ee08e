"""A small network and its data, for tests of the training loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spikeport.trainer.data import Dataset
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods import bptt
from spikeport.trainer.methods.bptt import Bptt
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig

NETWORK = NetworkConfig((LayerConfig(size=12),), "cuba_lif", train_decays=True)


TRAINING = TrainConfig(epochs=4, batch_size=16, steps=8, encoding="bernoulli", norm_epochs=0.5, seed=3)


def made() -> Dataset:
    """Three classes of noisy prototypes, 12 features."""
    generator = np.random.default_rng(0)
    prototypes = generator.random((3, 12)) > 0.5
    y = np.arange(90) % 3
    x = np.clip(0.8 * prototypes[y] + 0.1 * generator.random((90, 12)), 0, 1).astype(np.float32)
    return Dataset(x[:60], y[:60], x[60:], y[60:], (12,), 3, "made")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return made()


def fit(data: Dataset, **settings: object) -> Bptt:
    return Bptt(NETWORK, TRAINING).fit(data, progress=False, **settings)  # type: ignore[arg-type]


def assert_same_weights(first: Bptt, second: Bptt) -> None:
    states = first.spiking_network.state_dict(), second.spiking_network.state_dict()
    assert states[0].keys() == states[1].keys()
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name


def interrupt_after(batches: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise KeyboardInterrupt when that many batches have been trained on."""
    original, calls = Bptt.loss, [0]

    def loss(self: Bptt, *arguments: object) -> torch.Tensor:
        calls[0] += 1
        if calls[0] > batches:
            raise KeyboardInterrupt
        return original(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(bptt.Bptt, "loss", loss)
