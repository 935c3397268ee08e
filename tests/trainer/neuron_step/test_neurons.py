"""Surrogates and neurons: hand-computed steps, the chip's order, gradients by the formula."""

from __future__ import annotations

import math

import pytest
import torch

from spikeport.common.errors import InputError
from spikeport.trainer.neuron_step.neurons import LIF, CubaLIF, Decay
from spikeport.trainer.neuron_step.surrogates import SURROGATES, surrogate


def sequence(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).reshape(-1, 1, 1)


@pytest.mark.parametrize("name", sorted(SURROGATES))
def test_a_spike_is_strictly_above_the_threshold(name: str) -> None:
    spikes = surrogate(name)(torch.tensor([-1.0, 0.0, 1e-30, 2.0]), 0.5)
    assert spikes.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("atan", lambda x, w: 0.5 / w / (1 + (math.pi * x / (2 * w)) ** 2)),
        ("fast_sigmoid", lambda x, w: 1 / (1 + abs(x) / w) ** 2),
        ("triangle", lambda x, w: max(0.0, 1 - abs(x) / w)),
    ],
)
@pytest.mark.parametrize("width", [0.25, 1.5])
def test_the_slope_is_the_papers(name: str, expected, width: float) -> None:  # type: ignore[no-untyped-def]
    points = [-2.0, -0.3, 0.0, 0.1, 1.0]
    x = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(2 * surrogate(name)(x, width).sum(), x)
    assert slope.tolist() == pytest.approx([2 * expected(point, width) for point in points])


def test_an_unknown_surrogate_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'triangle'"):
        surrogate("trianglo")


def test_cuba_lif_by_hand() -> None:
    # u: .5 .75 .375 .1875;  v: .5 1.125 -> spike, 0;  then .375, .375/2 + .1875 = .375
    neuron = CubaLIF(current_decay=0.5, voltage_decay=0.5, threshold=0.9).double()
    spikes = neuron(sequence(0.5, 0.5, 0, 0))
    assert spikes.flatten().tolist() == [0, 1, 0, 0]
    later = CubaLIF(current_decay=0.5, voltage_decay=0.5, threshold=0.374).double()(sequence(0.5, 0.5, 0, 0))
    assert later.flatten().tolist() == [1, 1, 1, 0]


def test_the_threshold_itself_does_not_fire_and_reset_is_to_zero() -> None:
    neuron = LIF(voltage_decay=0.0, threshold=1.0).double()
    assert neuron(sequence(1.0, 0.0, 4.0, 1.0, 0.5)).flatten().tolist() == [0, 0, 1, 0, 1]


def test_lif_is_cuba_lif_that_forgets_its_current() -> None:
    a = torch.randn(20, 3, 8, dtype=torch.float64)
    decay = torch.rand(8)
    lif, cuba = LIF(decay, 0.7).double(), CubaLIF(1.0, decay, 0.7).double()
    assert torch.equal(lif(a), cuba(a)) and lif(a).sum() > 0


def test_decays_and_thresholds_per_neuron_act_alone() -> None:
    a = torch.rand(15, 2, 3, dtype=torch.float64)
    du, dv, vth = torch.tensor([0.1, 0.5, 1.0]), torch.tensor([0.0, 0.3, 1.0]), torch.tensor([0.5, 1.0, 0.2])
    together = CubaLIF(du, dv, vth).double()(a)
    for k in range(3):
        alone = CubaLIF(du[k], dv[k], vth[k]).double()(a[:, :, k : k + 1])
        assert torch.equal(together[:, :, k : k + 1], alone)


def test_the_gradient_of_two_steps_by_hand() -> None:
    # no spike: v1 = a1, v2 = (1 - dv) a1 + a2; loss = s1 + 3 s2
    a = sequence(0.2, 0.3).requires_grad_()
    spikes = LIF(voltage_decay=0.25, threshold=1.0, spike=surrogate("triangle"), width=2.0).double()(a)
    (spikes[0] + 3 * spikes[1]).sum().backward()
    first, second = 1 - 0.8 / 2, 1 - (1 - 0.45) / 2
    assert a.grad is not None
    assert a.grad.flatten().tolist() == pytest.approx([first + 3 * second * 0.75, 3 * second])


def test_no_gradient_flows_through_a_reset() -> None:
    a = sequence(1.5, 0.3).requires_grad_()
    LIF(voltage_decay=0.25, threshold=1.0, spike=surrogate("triangle"), width=2.0).double()(a)[1].sum().backward()
    assert a.grad is not None
    assert a.grad.flatten().tolist() == pytest.approx([0.0, 1 - 0.7 / 2])


def test_trained_decays_get_a_gradient_and_stay_fractions() -> None:
    neuron = CubaLIF(0.3, 0.2, trainable=True)
    assert neuron.current_decay().item() == pytest.approx(0.3)
    optimizer = torch.optim.SGD(neuron.parameters(), 0.01)
    neuron(torch.rand(10, 4, 5)).sum().backward()
    optimizer.step()
    for decay in (neuron.current_decay(), neuron.voltage_decay()):
        assert 0 <= float(decay) <= 1
    assert float(neuron.voltage_decay()) > 0.201 and neuron.current_decay().item() > 0.31


def test_a_trained_lif_keeps_its_current_decay() -> None:
    assert len(list(LIF(0.2, trainable=True).parameters())) == 1


@pytest.mark.parametrize(("value", "trainable"), [(1.1, False), (-0.1, False), (1.0, True), (float("nan"), False)])
def test_decays_outside_their_range_are_refused(value: float, trainable: bool) -> None:
    with pytest.raises(InputError, match="decay"):
        Decay(value, trainable)


def test_a_threshold_of_zero_is_refused() -> None:
    with pytest.raises(InputError, match="threshold"):
        LIF(0.1, 0.0)
