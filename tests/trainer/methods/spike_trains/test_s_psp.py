"""Spike-train-level post-synaptic potentials: by hand, against the neuron itself, and against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from spikeport.trainer.methods.spike_trains.s_psp import (
    LARGEST_GAIN,
    direct_counts,
    mean_s_psp,
    output_counts,
    own_slope,
    recurrent_system,
    s_psp,
    synaptic_input,
)
from spikeport.trainer.methods.spike_trains.spike_trains import (
    Trains,
    bias_response,
    delayed,
    firing_coefficients,
    input_shares,
    largest_response,
    response,
)
from spikeport.trainer.network.blocks import Flatten
from spikeport.trainer.neuron_step.dynamics import filter_current
from spikeport.trainer.neuron_step.quantise import LayerTensors


def scalar(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def train(*steps: float) -> Tensor:
    return torch.tensor(steps, dtype=torch.float64).reshape(-1, 1, 1)


def random_spikes(steps: int, batch: int, neurons: int, rate: float, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(steps, batch, neurons, generator=generator) < rate).double()


def simulate(current: Tensor, bias: Tensor, dv: float, recurrent: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Spikes at threshold 1 and the sum of v over each neuron's firings; recurrent synapses as at du = 1."""
    voltage = torch.zeros_like(current[0])
    fired, at_firing, spikes = torch.zeros_like(voltage), torch.zeros_like(voltage), []
    for step in current:
        voltage = voltage * (1 - dv) + step + bias + (0 if recurrent is None else fired @ recurrent.T)
        fired = (voltage > 1).double()
        at_firing += voltage * fired
        voltage = voltage * (1 - fired)
        spikes.append(fired)
    return torch.stack(spikes), at_firing


def layer_of(weight: Tensor, bias: Tensor, du: float, dv: float) -> LayerTensors:
    return LayerTensors(weight, bias, scalar(du), scalar(dv), scalar(1.0))


def counts_of(
    layer: LayerTensors, before: Trains, after: Tensor, least_slope: float, largest_gain: float = LARGEST_GAIN
) -> Tensor:
    outputs, inputs = layer.weight.shape
    synapse = nn.Linear(inputs, outputs, bias=False)
    reached = synaptic_input(synapse, layer.weight, before)
    return output_counts(synapse, layer, before, reached, after, None, least_slope, largest_gain)


def system_of(slope: Tensor, fired: Tensor, inner: Tensor, largest_gain: float) -> Tensor:
    bias = torch.zeros(len(inner), dtype=torch.float64)
    layer = LayerTensors(inner, bias, scalar(0.5), scalar(0.2), scalar(1.0), inner)
    shares = input_shares(firing_coefficients(fired, layer.voltage_decay), layer.current_decay, layer.voltage_decay)
    return recurrent_system(slope, shares, delayed(fired), fired.sum(0), layer, largest_gain)


def test_the_s_psp_of_three_spikes_by_hand() -> None:
    # du = dv = 1/2: p = 1 .5 .25 1.125, q = 1 1 .75 1.5; the neuron fires at steps 1 and 3, where v was 0 after step 1
    before, after = train(1, 0, 0, 1), train(0, 1, 0, 1)
    assert response(before, scalar(0.5), scalar(0.5)).flatten().tolist() == [1, 1, 0.75, 1.5]
    assert firing_coefficients(after, scalar(0.5)).flatten().tolist() == [0, 0.75, 0, 1]
    # first firing: q = 1; second: 0.25 / 2 + 1.125
    assert s_psp(before, after, scalar(0.5), scalar(0.5)).item() == 1 + 1.25


@settings(max_examples=60, deadline=None)
@given(st.floats(0.05, 1), st.floats(0, 0.9), st.floats(0.05, 0.9), st.integers(1, 40), st.integers(0, 2**31))
def test_the_t_psp_is_the_sum_of_v_over_the_firings(du: float, dv: float, rate: float, steps: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    before = random_spikes(steps, 2, 5, rate, seed)
    weight = torch.randn(4, 5, generator=generator, dtype=torch.float64)
    bias = 0.1 * torch.randn(4, generator=generator, dtype=torch.float64)
    after, at_firing = simulate(filter_current(before @ weight.T, scalar(du)), bias, dv)
    effect = s_psp(before, after, scalar(du), scalar(dv))
    of_bias = torch.tensordot(bias_response(steps, scalar(dv)), firing_coefficients(after, scalar(dv)), 1)
    torch.testing.assert_close((weight * effect).sum(-1) + bias * of_bias, at_firing)


def test_counts_change_with_weights_as_the_t_psp_does_at_fixed_firing_times() -> None:
    before, after = random_spikes(30, 3, 6, 0.3, 1), random_spikes(30, 3, 4, 0.2, 2)
    weight = torch.randn(4, 6, dtype=torch.float64)

    def t_psp(values: Tensor) -> Tensor:
        return (values * s_psp(before, after, scalar(0.4), scalar(0.1))).sum(-1)

    trained = weight.clone().requires_grad_()
    layer = layer_of(trained, torch.zeros(4, dtype=torch.float64), 0.4, 0.1)
    counts = counts_of(layer, Trains(before, before.sum(0)), after, 1e-4)
    assert torch.equal(counts, after.sum(0))
    mean_input = before.sum(0) @ weight.T / (0.4 * 30)
    slope = own_slope(mean_input, after.sum(0), scalar(0.1), scalar(1.0), 30).clamp_min(1e-4)
    errors = torch.randn(3, 4, dtype=torch.float64)
    (found,) = torch.autograd.grad((errors * counts).sum(), trained)
    for index in np.ndindex(4, 6):
        step = torch.zeros_like(weight)
        step[index] = 1e-6
        difference = (t_psp(weight + step) - t_psp(weight - step)) / 2e-6
        assert found[index].item() == pytest.approx((errors * difference / slope).sum().item(), rel=1e-6, abs=1e-9)


def test_errors_reach_the_counts_before_by_their_share_of_the_s_psp() -> None:
    before, after = random_spikes(20, 2, 3, 0.4, 3), random_spikes(20, 2, 2, 0.3, 4)
    before[:, 0, 1] = 0
    after[:, 1, 0] = 0
    weight = torch.randn(2, 3, dtype=torch.float64)
    counts_before = before.sum(0).requires_grad_()
    layer = layer_of(weight, torch.zeros(2, dtype=torch.float64), 0.5, 0.2)
    counts = counts_of(layer, Trains(before, counts_before), after, 1.0)
    (found,) = torch.autograd.grad(counts.sum(), counts_before)
    effect = s_psp(before, after, scalar(0.5), scalar(0.2))
    half = 0.5 * largest_response(scalar(0.5), scalar(0.2), 20).item()
    slope = own_slope(before.sum(0) @ weight.T / 10, after.sum(0), scalar(0.2), scalar(1.0), 20).clamp_min(1.0)
    for sample in range(2):
        for j in range(3):
            shares = [
                effect[sample, i, j].item() / before[:, sample, j].sum().item()
                if before[:, sample, j].sum() > 0 and after[:, sample, i].sum() > 0
                else half
                for i in range(2)
            ]
            wanted = sum(weight[i, j].item() * shares[i] / slope[sample, i].item() for i in range(2))
            assert found[sample, j].item() == pytest.approx(wanted)


def test_the_gradient_through_a_recurrent_layer_is_that_of_the_counts_fixed_point() -> None:
    # at fixed S-PSP shares r: o = slope^-1 (W e + V r o), a linear system whose solution can be differenced
    steps, neurons = 40, 5
    before = random_spikes(steps, 2, 4, 0.3, 5)
    after = random_spikes(steps, 2, neurons, 0.3, 6)
    after[:, 1, 2] = 0
    generator = torch.Generator().manual_seed(7)
    weight = 0.4 * torch.randn(neurons, 4, generator=generator, dtype=torch.float64)
    inner = 0.1 * torch.randn(neurons, neurons, generator=generator, dtype=torch.float64)
    du, dv = scalar(0.5), scalar(0.2)
    late = delayed(after)
    effect, own = s_psp(before, after, du, dv), s_psp(late, after, du, dv)
    sent, half = late.sum(0), 0.5 * largest_response(du, dv, steps)
    silent = (sent == 0)[:, None, :] | (after.sum(0) == 0)[:, :, None]
    share = torch.where(silent, half, own / sent.clamp_min(1)[:, None, :])
    drive = (before.sum(0) @ weight.T + sent @ inner.T) / (0.5 * steps)
    slope = own_slope(drive, after.sum(0), dv, scalar(1.0), steps).clamp_min(0.5)

    def solved(w: Tensor, v: Tensor) -> Tensor:
        base = after.sum(0)
        # vth slope do = dW e + dV e_own + V r do
        pushed = ((w - weight) * effect).sum(-1) + ((v - inner) * own).sum(-1)
        system = torch.diag_embed(slope) - inner * share
        return base + torch.linalg.solve(system, pushed)

    trained = [weight.clone().requires_grad_(), inner.clone().requires_grad_()]
    layer = LayerTensors(trained[0], torch.zeros(neurons, dtype=torch.float64), du, dv, scalar(1.0), trained[1])
    counts = counts_of(layer, Trains(before, before.sum(0)), after, 0.5, 1e6)
    errors = torch.randn(2, neurons, generator=generator, dtype=torch.float64)
    found = torch.autograd.grad((errors * counts).sum(), trained)
    for which, values in enumerate((weight, inner)):
        for index in np.ndindex(*values.shape):
            step = torch.zeros_like(values)
            step[index] = 1e-6
            ends = [
                (
                    errors
                    * (solved(weight + sign * step, inner) if which == 0 else solved(weight, inner + sign * step))
                ).sum()
                for sign in (1, -1)
            ]
            assert found[which][index].item() == pytest.approx(((ends[0] - ends[1]) / 2e-6).item(), rel=1e-5, abs=1e-8)


def test_direct_weight_gradients_leave_the_other_neurons_out_and_errors_still_pass_through_them() -> None:
    # as g_Reservoir_wgrad_spiketime of the authors' code: delta_i e_ij / (V slope_i), for both kinds of synapses
    steps, neurons = 40, 5
    before, after = random_spikes(steps, 2, 4, 0.3, 5), random_spikes(steps, 2, neurons, 0.3, 6)
    generator = torch.Generator().manual_seed(7)
    weight = 0.4 * torch.randn(neurons, 4, generator=generator, dtype=torch.float64)
    inner = 0.1 * torch.randn(neurons, neurons, generator=generator, dtype=torch.float64)
    du, dv, errors = scalar(0.5), scalar(0.2), torch.randn(2, neurons, generator=generator, dtype=torch.float64)
    trained = [
        weight.requires_grad_(),
        torch.zeros(neurons, dtype=torch.float64).requires_grad_(),
        inner.requires_grad_(),
    ]
    layer = LayerTensors(trained[0], trained[1], du, dv, scalar(1.0), trained[2])
    level = before.sum(0).requires_grad_()
    synapse = nn.Linear(4, neurons, bias=False)
    direct = direct_counts(synapse, layer, Trains(before, level), after, None, 0.5)
    assert torch.equal(direct, after.sum(0))
    by_weight, by_bias, by_inner, by_input = torch.autograd.grad((errors * direct).sum(), [*trained, level])
    drive = (before.sum(0) @ weight.T + delayed(after).sum(0) @ inner.T).detach() / (0.5 * steps)
    error = errors / own_slope(drive, after.sum(0), dv, scalar(1.0), steps).clamp_min(0.5)
    of_bias = torch.tensordot(bias_response(steps, dv), firing_coefficients(after, dv), 1)
    torch.testing.assert_close(by_weight, torch.einsum("bi,bij->ij", error, s_psp(before, after, du, dv)))
    torch.testing.assert_close(by_inner, torch.einsum("bi,bij->ij", error, s_psp(delayed(after), after, du, dv)))
    torch.testing.assert_close(by_bias, (error * of_bias).sum(0))
    exact = counts_of(layer, Trains(before, level), after, 0.5)
    through_system, whole = torch.autograd.grad((errors * exact).sum(), [level, trained[0]])
    torch.testing.assert_close(by_input, through_system)
    assert (whole - by_weight).abs().max() > 0.01 * whole.abs().max()


def test_the_recurrent_system_without_recurrent_weights_is_the_slope_alone() -> None:
    fired = random_spikes(15, 2, 3, 0.4, 8)
    slope = torch.rand(2, 3, dtype=torch.float64) + 0.5
    system = system_of(slope, fired, torch.zeros(3, 3, dtype=torch.float64), 0.9)
    assert torch.equal(system, torch.diag_embed(slope))


def test_a_neuron_whose_recurrent_gain_is_too_large_is_damped() -> None:
    fired = torch.ones(6, 1, 2, dtype=torch.float64)
    inner = torch.tensor([[0.0, 4.0], [0.001, 0.0]], dtype=torch.float64)
    system = system_of(torch.ones(1, 2, dtype=torch.float64), fired, inner, 0.5)[0]
    assert system[0, 0].item() == pytest.approx(2 * -system[0, 1].item()) and system[0, 1] < -1
    assert system[1, 1].item() == 1


@pytest.mark.parametrize("firings", [2, 20, 80])
def test_the_closed_form_of_the_mean_s_psp_is_that_of_simulated_trains(firings: int) -> None:
    # as the authors' eij_function.m does, without the refractory time that the chip lacks
    steps, inputs, du, dv = 400, 12, 0.25, 0.1
    generator = torch.Generator().manual_seed(firings)
    order = torch.rand(steps, 1500, 2, generator=generator).argsort(0)
    before = (order[..., :1] < inputs).double()
    after = (order[..., 1:] < firings).double()
    simulated = s_psp(before, after, scalar(du), scalar(dv)).mean().item()
    closed = mean_s_psp(scalar(inputs), scalar(firings), scalar(du), scalar(dv), steps).item()
    assert closed == pytest.approx(simulated, rel=0.05)


def test_the_slope_is_the_derivative_of_the_closed_form() -> None:
    counts = scalar(20.0).requires_grad_()
    weighted = 0.3 * mean_s_psp(scalar(30.0), counts, scalar(0.25), scalar(0.1), 100)
    (derivative,) = torch.autograd.grad(weighted, counts)
    slope = own_slope(scalar(0.3 * 30 / 0.25 / 100), scalar(20.0), scalar(0.1), scalar(0.8), 100)
    assert slope.item() == pytest.approx(1 - derivative.item() / 0.8)


def test_pooling_and_flattening_keep_counts_the_sums_of_spikes() -> None:
    spikes = random_spikes(9, 2, 2 * 4 * 4, 0.4, 11).reshape(9, 2, 2, 4, 4)
    level = spikes.sum(0).requires_grad_()
    read = Trains(spikes, level).through(Flatten(2))
    assert read.spikes.shape == (9, 2, 8) and torch.equal(read.spikes.sum(0), read.level)
    (found,) = torch.autograd.grad(read.level.sum(), level)
    assert (found == 0.25).all()
