"""Low-passed trains: their changes by hand, with inhibition, and against a circuit without jumps."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from spikeport.trainer.methods.regularise import exponential_penalty
from spikeport.trainer.methods.spike_trains.low_passed import (
    factors,
    low_passed,
    output_rates,
    scale_error,
    with_inhibition,
)
from spikeport.trainer.methods.spike_trains.spike_trains import Trains
from spikeport.trainer.neuron_step.quantise import LayerTensors


def scalar(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def layer_of(weight: Tensor, vth: Tensor, dv: float, recurrent: Tensor | None = None) -> LayerTensors:
    bias = torch.zeros(len(weight), dtype=torch.float64).requires_grad_()
    return LayerTensors(weight, bias, scalar(1.0), scalar(dv), vth, recurrent)


def random_spikes(steps: int, batch: int, neurons: int, seed: int) -> Tensor:
    return (torch.rand(steps, batch, neurons, generator=torch.Generator().manual_seed(seed)) < 0.4).double()


def test_a_low_passed_train_by_hand() -> None:
    # 1, .75, 1.5625 at dv = 1/4; mean times dv
    spikes = torch.tensor([1.0, 0, 1], dtype=torch.float64).reshape(-1, 1, 1)
    assert low_passed(spikes, scalar(0.25)).item() == pytest.approx((1 + 0.75 + 1.5625) / 3 / 4)


def test_one_neuron_by_hand() -> None:
    before, fired = random_spikes(10, 1, 2, 0), random_spikes(10, 1, 1, 1)
    weight = torch.tensor([[0.5, -0.25]], dtype=torch.float64).requires_grad_()
    vth = torch.tensor([2.0], dtype=torch.float64).requires_grad_()
    rates_before = low_passed(before, scalar(0.2)).requires_grad_()
    layer = layer_of(weight, vth, 0.2)
    active = torch.ones(1, 1, dtype=torch.bool)
    rates = output_rates(
        nn.Linear(2, 1, bias=False), layer, Trains(before, rates_before), fired, active, 1 / vth.detach(), None
    )
    x, a = rates_before.detach()[0], low_passed(fired, scalar(0.2)).item()
    assert rates.item() == a
    by_weight, by_threshold, by_input = torch.autograd.grad(3 * rates.sum(), (weight, vth, rates_before))
    assert by_weight[0].tolist() == pytest.approx((3 * x / 2).tolist())
    assert by_threshold.item() == pytest.approx(-3 * a / 2)
    assert by_input[0].tolist() == pytest.approx([3 * 0.5 / 2, -3 * 0.25 / 2])


def test_silent_neurons_take_no_part() -> None:
    before, fired = random_spikes(10, 2, 3, 2), torch.zeros(10, 2, 2, dtype=torch.float64)
    weight = torch.ones(2, 3, dtype=torch.float64).requires_grad_()
    active = torch.tensor([[True, False], [False, False]])
    vth = torch.ones(2, dtype=torch.float64)
    rates = output_rates(
        nn.Linear(3, 2, bias=False),
        layer_of(weight, vth, 0.2),
        Trains(before, before.mean(0)),
        fired,
        active,
        vth,
        None,
    )
    (found,) = torch.autograd.grad(rates.sum(), weight)
    assert (found[0] > 0).all() and (found[1] == 0).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 8), st.integers(0, 2**31))
def test_the_closed_form_of_inhibition_solves_its_equations(neurons: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    change, strength = generator.normal(size=(3, neurons)), 0.9 * generator.random(neurons)
    active = generator.random((3, neurons)) < 0.7
    found = with_inhibition(torch.from_numpy(change), torch.from_numpy(strength), torch.from_numpy(active)).numpy()
    for row in range(3):
        live = np.flatnonzero(active[row])
        system = np.where(np.eye(len(live), dtype=bool), 1.0, strength[live][:, None])
        np.testing.assert_allclose(found[row, live], np.linalg.solve(system, change[row, live]), atol=1e-9)
        assert (found[row, ~active[row]] == 0).all()


def test_the_gradient_is_that_of_the_circuit_without_jumps() -> None:
    """Central differences of the a that solves V a = W x - V c (sum of the other a) at fixed input trains."""
    neurons, inputs, c = 4, 3, 0.3
    before, fired = random_spikes(30, 1, inputs, 5), random_spikes(30, 1, neurons, 6)
    x = low_passed(before, scalar(0.1))[0].numpy()
    generator = np.random.default_rng(7)
    vth = 0.5 + generator.random(neurons)
    others = 1 - np.eye(neurons)
    # weights for which the trains at hand are what the circuit without jumps does
    a = low_passed(fired, scalar(0.1))[0].numpy()
    weight = np.outer(vth * (a + c * others @ a), x) / (x @ x)

    def solved(w: np.ndarray, v: np.ndarray) -> np.ndarray:
        # the inhibition of a spike is a weight, c times the first threshold, and does not move with v
        return np.linalg.solve(np.diag(v) + c * vth[:, None] * others, w @ x)

    np.testing.assert_allclose(solved(weight, vth), a)
    trained = torch.from_numpy(weight).requires_grad_(), torch.from_numpy(vth).requires_grad_()
    layer = layer_of(trained[0], trained[1], 0.1, torch.from_numpy(-c * vth[:, None] * others))
    active = torch.ones(1, neurons, dtype=torch.bool)
    rates = output_rates(
        nn.Linear(inputs, neurons, bias=False),
        layer,
        Trains(before, before.mean(0)),
        fired,
        active,
        1 / trained[1].detach(),
        None,
    )
    errors = generator.normal(size=neurons)
    found = torch.autograd.grad((rates[0] * torch.from_numpy(errors)).sum(), trained)
    for which, values in enumerate((weight, vth)):
        for index in np.ndindex(*values.shape):
            ends = []
            for sign in (1, -1):
                moved = [weight.copy(), vth.copy()]
                moved[which][index] += sign * 1e-6
                ends.append(errors @ solved(*moved))
            assert found[which][index].item() == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


def test_errors_are_normalised_by_the_active_synapses() -> None:
    before = torch.zeros(3, 2, 8)
    before[1, 0, :2] = 1
    found = factors(before, fan_in=8, neurons=4)
    assert found.weights.flatten().tolist() == pytest.approx([math.sqrt(4 / 2), math.sqrt(4 / 1)])
    assert found.thresholds.flatten().tolist() == pytest.approx([math.sqrt(4 / 16), math.sqrt(4 / 8)])
    assert found.passed_on.flatten().tolist() == pytest.approx([math.sqrt(8 / 2), math.sqrt(8 / 1)])


def test_scaled_errors_leave_the_value() -> None:
    value = torch.tensor([1.0, 2.0], requires_grad=True)
    out = scale_error(value, torch.tensor([3.0, 0.5]))
    assert torch.equal(out, value)
    (found,) = torch.autograd.grad(out.sum(), value)
    assert found.tolist() == [3.0, 0.5]


def test_the_penalty_of_weights_by_hand() -> None:
    weight = torch.tensor([[1.0, 1.0], [0.6, 0.8]])
    assert exponential_penalty(weight, 2.0).item() == pytest.approx(0.5 * (math.exp(2) + 1))
