"""Losses and metrics against their definitions; scikit-learn computes the metrics again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, mean_squared_error
from torch import Tensor

from spikeport.trainer.tasks import answers, losses, metrics
from spikeport.trainer.tasks.registry import TASKS

STEPS, BATCH, OUTPUTS = 9, 6, 4


def drawn(seed: int) -> tuple[Tensor, Tensor, np.random.Generator]:
    """Sparse spikes, voltages and a generator."""
    generator = np.random.default_rng(seed)
    spikes = torch.tensor((generator.random((STEPS, BATCH, OUTPUTS)) < 0.15).astype(np.float32))
    voltages = torch.tensor(generator.normal(size=(STEPS, BATCH, OUTPUTS)).astype(np.float32))
    return spikes, voltages, generator


def cross_entropy(logits: np.ndarray, y: np.ndarray) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]))


@pytest.mark.parametrize("seed", range(3))
def test_losses_of_spikes(seed: int) -> None:
    spikes, _, generator = drawn(seed)
    s, y = spikes.numpy().astype(np.float64), generator.integers(OUTPUTS, size=BATCH)
    labels, right = torch.tensor(y), np.eye(OUTPUTS)[y]
    assert_allclose(losses.ce_count(spikes, labels), cross_entropy(s.sum(0), y), rtol=1e-5)
    assert_allclose(losses.ce_rate(spikes, labels), np.mean([cross_entropy(step, y) for step in s]), rtol=1e-5)
    assert_allclose(losses.mse_count(spikes, labels), np.mean((s.mean(0) - right) ** 2), rtol=1e-5)
    first = np.where(s.any(0), s.argmax(0), STEPS)
    assert_allclose(losses.first_spikes(spikes), first)
    assert_allclose(losses.ce_temporal(spikes, labels), cross_entropy(-first, y), rtol=1e-5)
    assert_allclose(losses.mse_temporal(spikes, labels), np.mean((first / STEPS - (1 - right)) ** 2), rtol=1e-5)
    several = (generator.random((BATCH, OUTPUTS)) < 0.5).astype(np.float32)
    p = 1 / (1 + np.exp(-(s.sum(0) - STEPS / 2)))
    wanted = -np.mean(several * np.log(p) + (1 - several) * np.log(1 - p))
    assert_allclose(losses.bce_count(spikes, torch.tensor(several)), wanted, rtol=1e-5)
    assert_allclose(losses.mse_count(spikes, torch.tensor(several)), np.mean((s.mean(0) - several) ** 2), rtol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_losses_of_voltages(seed: int) -> None:
    _, voltages, generator = drawn(seed)
    v, y = voltages.numpy().astype(np.float64), generator.integers(OUTPUTS, size=BATCH)
    assert_allclose(losses.ce_max_membrane(voltages, torch.tensor(y)), cross_entropy(v.max(0), y), rtol=1e-5)
    each = generator.integers(OUTPUTS, size=(BATCH, STEPS))
    wanted = np.mean([cross_entropy(v[t], each[:, t]) for t in range(STEPS)])
    assert_allclose(losses.ce_membrane(voltages, torch.tensor(each)), wanted, rtol=1e-5)
    for value, compared in ((v[-1] + 1, v[-1]), (v.swapaxes(0, 1) - 2, v.swapaxes(0, 1))):
        target = torch.tensor(value.astype(np.float32))
        assert_allclose(losses.mse_membrane(voltages, target), np.mean((compared - value) ** 2), rtol=1e-5)
        assert_allclose(losses.l1_membrane(voltages, target), np.mean(np.abs(compared - value)), rtol=1e-5)


def test_a_silent_output_is_drawn_to_spike_earlier_from_every_step() -> None:
    spikes = torch.zeros(STEPS, 1, 1, requires_grad=True)
    losses.first_spikes(spikes).sum().backward()
    assert spikes.grad is not None
    np.testing.assert_array_equal(spikes.grad.flatten(), -np.arange(STEPS, 0, -1))


def test_metrics_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    values, wanted = generator.normal(size=(2, 50, 3))
    assert_allclose(metrics.rmse(values, wanted), mean_squared_error(wanted, values) ** 0.5)
    assert_allclose(metrics.mae(values, wanted), mean_absolute_error(wanted, values))
    assert metrics.r2(wanted, wanted) == 1 and metrics.r2(np.full_like(wanted, 0) + wanted.mean(0), wanted) == 0
    labels, truth = generator.random((2, 50, 3)) < 0.4
    assert_allclose(metrics.f1(labels, truth), f1_score(truth, labels, average="micro"))
    assert_allclose(metrics.exact_match(labels, truth), accuracy_score(truth, labels))
    assert metrics.f1(np.zeros((2, 2)), np.zeros((2, 2))) == 1


def test_answers() -> None:
    output = np.zeros((4, 1, 3))
    output[[1, 2, 3], 0, 2], output[0, 0, 1] = 1, 1
    assert answers.most_spikes(output) == [2] and answers.first_to_spike(output) == [1]
    assert answers.first_to_spike(np.zeros((4, 1, 3))) == [0]
    np.testing.assert_array_equal(answers.fires_half_the_steps(output), [[0, 0, 1]])
    voltages = np.arange(12.0).reshape(4, 1, 3)
    voltages[0, 0, 0] = 99
    assert answers.highest_voltage(voltages) == [0]
    np.testing.assert_array_equal(answers.highest_each_step(voltages), [[0, 2, 2, 2]])
    np.testing.assert_array_equal(answers.last_voltages(voltages), voltages[-1])
    np.testing.assert_array_equal(answers.all_voltages(voltages), voltages.swapaxes(0, 1))


def test_every_task_names_its_metrics_and_losses_as_their_functions() -> None:
    for name, task in TASKS.items():
        assert task.name == name and all(loss.__name__ == key for key, loss in task.losses.items())
        assert all(metric.name == key for key, metric in task.metrics.items())


def test_whole_numbers_are_targets_as_real_ones_are() -> None:
    output, y = torch.rand(STEPS, BATCH, OUTPUTS, requires_grad=True), torch.randint(2, (BATCH, OUTPUTS))
    for loss in (losses.bce_count, losses.mse_count, losses.mse_membrane, losses.l1_membrane):
        value = loss(output, y)
        assert_allclose(value.detach(), loss(output, y.float()).detach())
        value.backward()
