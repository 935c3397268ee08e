"""Optimizers and gradient clipping: the textbook's step, the same weights after a stop, files without new keys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_training import NETWORK, TRAINING, assert_same_weights, interrupt_after, made
from torch import nn

from spikeport.common.errors import InputError
from spikeport.trainer.loop.schedule import Schedule
from spikeport.trainer.loop.train_config import TrainConfig, stored_settings
from spikeport.trainer.loop.training_loop import Task, train
from spikeport.trainer.methods.bptt import Bptt

START, GRADIENT = np.array([1.0, -2.0, 0.5]), np.array([0.3, -4.0, 0.02])


def stepped(steps: int, **settings: Any) -> np.ndarray[Any, Any]:
    """The weights after some steps along one constant gradient."""
    model = nn.Linear(3, 1, bias=False)
    model.weight.data = torch.tensor(START, dtype=torch.float32)[None]
    x, y = torch.tensor(GRADIENT, dtype=torch.float32)[None], torch.zeros(1)
    config = TrainConfig(epochs=steps, learning_rate=0.1, schedule=Schedule("constant"), **settings)
    train(Task(model, lambda _: None, lambda _: iter([(x, y)]), lambda x, _: model(x).sum(), 0), config, progress=False)
    return model.weight.detach().numpy()[0]


def test_sgd_takes_the_steps_of_its_equations() -> None:
    weight, momentum = START.copy(), np.zeros(3)
    for _ in range(3):
        momentum = 0.5 * momentum + GRADIENT + 0.2 * weight
        weight = weight - 0.1 * momentum
    settings = {"optimizer": "sgd", "momentum": 0.5, "weight_decay": 0.2, "gradient_norm": 0.0}
    np.testing.assert_allclose(stepped(3, **settings), weight, rtol=1e-5)


def test_adam_decays_through_the_gradient_and_adamw_apart_from_it() -> None:
    # the first step of Adam has size lr in the direction of the gradient
    with_decay = np.sign(GRADIENT + 2.0 * START)
    np.testing.assert_allclose(
        stepped(1, optimizer="adam", weight_decay=2.0, gradient_norm=0.0), START - 0.1 * with_decay, rtol=1e-4
    )
    apart = START * (1 - 0.1 * 2.0) - 0.1 * np.sign(GRADIENT)
    np.testing.assert_allclose(stepped(1, weight_decay=2.0, gradient_norm=0.0), apart, rtol=1e-4)


def test_gradients_are_clipped_to_a_norm_and_to_a_size() -> None:
    plain = {"optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0}
    norm = np.linalg.norm(GRADIENT)
    np.testing.assert_allclose(stepped(1, **plain, gradient_norm=2.0), START - 0.1 * GRADIENT * 2 / norm, rtol=1e-5)
    clipped = np.clip(GRADIENT, -0.1, 0.1)
    np.testing.assert_allclose(
        stepped(1, **plain, gradient_norm=0.0, gradient_value=0.1), START - 0.1 * clipped, rtol=1e-5
    )
    np.testing.assert_allclose(stepped(1, **plain, gradient_norm=0.0), START - 0.1 * GRADIENT, rtol=1e-5)


@pytest.mark.parametrize(
    "settings", [{"optimizer": "sgd"}, {"optimizer": "sgd", "momentum": 0.0}, {"optimizer": "adam"}]
)
def test_an_interrupted_training_resumes_to_the_same_weights(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = replace(TRAINING, epochs=2, **settings)
    data = made()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_after(6, patch)
        Bptt(NETWORK, training).fit(data, tmp_path, progress=False)
    resumed = Bptt(NETWORK, training).fit(data, tmp_path, resume=True, progress=False)
    assert_same_weights(resumed, Bptt(NETWORK, training).fit(data, progress=False))
    with pytest.raises(InputError, match=r"another configuration \(training\.optimizer was"):
        Bptt(NETWORK, replace(TRAINING, epochs=2)).fit(data, tmp_path, resume=True, progress=False)


def test_settings_that_are_not_used_are_not_stored() -> None:
    assert not {"optimizer", "momentum", "gradient_value"} & set(stored_settings(TRAINING))
    changed = stored_settings(replace(TRAINING, optimizer="sgd"))
    assert changed == {**stored_settings(TRAINING), "optimizer": "sgd"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "adamx"}, "unknown optimizer 'adamx'; did you mean 'adam"),
        ({"optimizer": "sgd", "momentum": 1.0}, "momentum is the share of the last step that is kept, 0 to below 1"),
        ({"momentum": 0.5}, 'momentum is a setting of optimizer = "sgd", not of "adamw"; leave it out'),
        ({"gradient_norm": -1.0}, "gradient_norm must be at least 0"),
        ({"gradient_value": -1.0}, "gradient_value must be at least 0"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TrainConfig(**settings)
