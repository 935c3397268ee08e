"""TSSL-BP: the error at firing times by hand and against the published rule; the method learns with five steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from spikeport.common.errors import InputError
from spikeport.trainer.data import load_dataset
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.spike_trains import firing_times
from spikeport.trainer.methods.spike_trains.firing_times import fire
from spikeport.trainer.methods.tssl_bp import TsslBp, desired_spikes
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig
from spikeport.trainer.neuron_step.dynamics import integrate_and_fire
from spikeport.trainer.neuron_step.surrogates import surrogate

NETWORK = NetworkConfig((LayerConfig(size=64),), "cuba_lif", du=1 / 3, dv=0.2)
TRAINING = TrainConfig(method="tssl_bp", epochs=8, steps=5, learning_rate=0.01)


def sequence(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).reshape(-1, 1, 1)


def scalars(*values: float) -> list[Tensor]:
    return [torch.tensor(value, dtype=torch.float64) for value in values]


def gradient(current: Tensor, errors: Tensor, du: float, dv: float, vth: float = 1.0) -> Tensor:
    current = current.clone().requires_grad_()
    spikes = fire(current, *scalars(du, dv, vth))
    (found,) = torch.autograd.grad(spikes, current, errors)
    return found


def published(current: Tensor, errors: Tensor, tau_s: float, tau_m: float) -> Tensor:
    """The rule of functions/tsslbp.py for one neuron, step by step in plain numbers, at threshold 1.

    There, errors come for potentials a and are summed over later steps; here they come summed already.
    """
    v = potential = 0.0
    rows = []
    for step in current.flatten().tolist():
        rise = -v / tau_m + step
        v += rise
        out = float(v > 1)
        potential += (out - potential) / tau_s
        rows.append((v, rise, out, potential))
        v *= 1 - out
    theta, found = 0.0, []
    for (v, rise, out, potential), summed in zip(reversed(rows), reversed(errors.flatten().tolist()), strict=True):
        partial_u = min(max(-1 / rise, -8.0), 0.0) * out
        grad = -partial_u * summed
        if found:
            grad += -theta * v * partial_u / tau_m + theta * (1 - 1 / tau_m) * (1 - out)
        theta = grad * out + theta * (1 - out) * (1 - 1 / tau_m)
        power = np.exp(np.clip((1 - v) / 0.2, -8, 8))
        found.append(summed * power / (1 + power) ** 2 / 0.2 if potential < 1 / (4 * tau_s) else grad)
    return torch.tensor(found[::-1], dtype=torch.float64).reshape(-1, 1, 1)


def test_the_forward_pass_is_the_chips_membrane() -> None:
    generator = torch.Generator().manual_seed(0)
    current = torch.randn(40, 3, 7, generator=generator, dtype=torch.float64)
    du, dv, vth = scalars(0.3, 0.1, 0.8)
    wanted = integrate_and_fire(current, dv, vth, surrogate("atan"), 0.5)
    assert torch.equal(fire(current, du, dv, vth), wanted) and wanted.sum() > 0
    assert fire(sequence(1.0), *scalars(0.3, 0.1, 1.0)).item() == 0


def test_the_error_of_two_spikes_by_hand() -> None:
    # v = .5, 1.25 -> spike, reset; .5; 1.25 -> spike. rises .5, .875 (from .375 kept of .5), .5, ...
    current = sequence(0.5, 1.0, 0.5, 1.0)
    found = gradient(current, sequence(0, 2, 0, 3), du=0.5, dv=0.25).flatten()
    second = 3 / 0.875
    # step 2: the potential of the spike before is half of it, so it is not silent: the error passes on through the leak
    third = 0.75 * second
    first = 2 / 0.875 + 0.25 * 1.375 / 0.875 * third
    # step 0 is silent: no error arrives there, and the warm-up gives none
    assert found.tolist() == pytest.approx([0, first, third, second])


def test_silent_neurons_are_warmed_up_by_a_sigmoid() -> None:
    found = gradient(sequence(0.5, 0.5), sequence(1, 2), du=0.5, dv=0.0).flatten()
    # v = 0.5, 1.0, no spike (not above threshold)
    slope = [np.exp(2.5) / (1 + np.exp(2.5)) ** 2 / 0.2, 0.25 / 0.2]
    assert found.tolist() == pytest.approx([slope[0], 2 * slope[1]])


@pytest.mark.parametrize("seed", range(20))
def test_the_error_is_that_of_the_published_rule(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    current = 1.5 * torch.rand(12, 1, 1, generator=generator, dtype=torch.float64) - 0.2
    errors = torch.randn(12, 1, 1, generator=generator, dtype=torch.float64)
    found = gradient(current, errors, du=1 / 3, dv=1 / 5)
    torch.testing.assert_close(found, published(current, errors, tau_s=3, tau_m=5))


def test_threshold_and_potential_scale_together() -> None:
    generator = torch.Generator().manual_seed(3)
    current = torch.rand(10, 2, 3, generator=generator, dtype=torch.float64)
    errors = torch.randn(10, 2, 3, generator=generator, dtype=torch.float64)
    one, four = gradient(current, errors, 0.4, 0.1), gradient(4 * current, errors, 0.4, 0.1, vth=4.0)
    torch.testing.assert_close(one, 4 * four)


def test_the_wanted_trains_are_the_codes() -> None:
    assert desired_spikes(5).tolist() == [0, 1, 1, 1, 1]
    assert desired_spikes(10).tolist() == [0, 1] * 5


@pytest.mark.parametrize("loss", ["kernel", "count", "softmax"])
def test_five_steps_are_enough_to_learn_digits(loss: str) -> None:
    torch.set_num_threads(1)
    digits = load_dataset("digits", 0)
    method = TsslBp(NETWORK, replace(TRAINING, options={"loss": loss})).fit(digits, progress=False)
    assert (method.predict(digits.x_test) == digits.y_test).mean() > 0.9


def test_what_it_cannot_train_is_refused() -> None:
    digits = load_dataset("digits", 0)
    with pytest.raises(InputError, match="train_decays"):
        TsslBp(replace(NETWORK, train_decays=True), TRAINING).fit(digits, progress=False)
    with pytest.raises(InputError, match="undesired < desired"):
        TsslBp(NETWORK, replace(TRAINING, options={"desired": 0.1, "undesired": 0.2}))


@pytest.mark.parametrize("order", ["rows", "channels last"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_compiled_loops_compute_what_torch_does(
    order: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(5)
    current, errors = (torch.randn(9, 3, 4, 5, 6, generator=generator, dtype=dtype) for _ in range(2))
    if order == "channels last":
        current = current.movedim(2, -1).contiguous().movedim(-1, 2)
    constants = torch.tensor(0.3, dtype=dtype), torch.tensor(0.2, dtype=dtype), 0.5 + torch.rand(4, 1, 1, dtype=dtype)
    found = []
    for compiled in (True, False):
        if not compiled:
            monkeypatch.setattr(firing_times, "_compiled", lambda *_: False)
        trained = current.clone().requires_grad_()
        spikes = fire(trained, *constants)
        found.append((spikes.detach(), *torch.autograd.grad(spikes, trained, errors)))
    assert torch.equal(found[0][0], found[1][0]) and 0.05 < found[0][0].mean() < 0.9
    torch.testing.assert_close(found[0][1], found[1][1])
