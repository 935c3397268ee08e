"""soft_lif: the rate curve against a neuron's own firing, its slope against differences, rates against spikes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from spikeport.common.errors import InputError
from spikeport.trainer.data import load_dataset
from spikeport.trainer.loop.spike_penalty import Sparsity
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.registry import get_method
from spikeport.trainer.methods.soft_lif import SoftLif, above_threshold, noisy_rate, soft_lif_rate
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig
from spikeport.trainer.neuron_step.neurons import LIF

NETWORK = NetworkConfig((LayerConfig(size=24),), "cuba_lif", du=0.3)
TRAINING = TrainConfig(method="soft_lif", epochs=6, learning_rate=0.01, steps=32)


def number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


@given(st.floats(0.02, 0.6), st.floats(0.5, 3.0), st.floats(1.01, 30.0))
def test_the_hard_curve_is_the_time_to_threshold(dv: float, vth: float, over: float) -> None:
    """Waiting n steps from rest leads to v = j (1 - (1 - dv)**n), which is vth at n = 1 / rate."""
    current = number(over * vth * dv)
    waited = 1 / soft_lif_rate(current, number(dv), number(vth), 0.0, 1.0) - 1
    assert (over * vth * (1 - (1 - dv) ** waited)).item() == pytest.approx(vth, rel=1e-6)


@pytest.mark.parametrize("over", [0.5, 0.99, 1.05, 1.7, 5.0])
def test_the_hard_curve_with_half_a_step_is_the_rate_of_the_neuron_in_steps(over: float) -> None:
    dv, vth = torch.tensor(0.05), torch.tensor(1.0)
    current = over * float(dv)
    times = LIF(0.05, 1.0)(torch.full((400, 1, 1), current)).flatten().nonzero().flatten()
    curve = soft_lif_rate(torch.tensor(current), dv, vth, 0.0, 0.5).item()
    waited = (times[1] - times[0]).item() if len(times) else np.inf
    # the neuron waits whole steps, the curve half a step more than it must
    assert (curve == 0 and waited == np.inf) or abs(1 / curve - waited) <= 0.51


def test_half_a_step_gives_the_rates_of_the_neuron_on_average_and_a_whole_one_is_below() -> None:
    current = torch.linspace(0.11, 1.0, 500)
    fired = LIF(0.1, 1.0)(current.expand(1000, 1, 500).contiguous()).mean((0, 1))
    whole, half = (soft_lif_rate(current, torch.tensor(0.1), torch.tensor(1.0), 0.0, r) for r in (1.0, 0.5))
    assert abs(float(half.mean() / fired.mean()) - 1) < 0.08
    assert 0.8 < float(whole.mean() / fired.mean()) < 0.92
    assert half.max() <= 1


def test_a_hand_computed_case() -> None:
    # dv = 0.5, vth = 1, i = 1: j = 2, x = 1; t_rc = 1 / log 2, so log(1 + 1 / 1) t_rc = 1 step
    assert soft_lif_rate(number(1.0), number(0.5), number(1.0), 0.0, 0.5).item() == pytest.approx(
        1 / (1.5 + 0.5 * np.exp(-3))
    )
    assert soft_lif_rate(number(1.0), number(0.5), number(1.0), 0.0, 1.0).item() == pytest.approx(1 / 2)
    soft = 0.4 * np.log(1 + np.exp(1 / 0.4))
    waiting = np.log(1 + 1 / soft) / np.log(2)
    wanted = 1 / (waiting + 0.5 + 0.5 * np.exp(-3 * waiting))
    assert soft_lif_rate(number(1.0), number(0.5), number(1.0), 0.4, 0.5).item() == pytest.approx(wanted)


@given(st.lists(st.floats(-3.0, 5.0), min_size=1, max_size=6), st.floats(0.02, 0.5), st.floats(0.05, 1.0))
def test_the_slope_is_that_of_finite_differences(currents: list[float], dv: float, gamma: float) -> None:
    leaves = torch.tensor(currents, dtype=torch.float64) * dv, number(dv), number(1.3)
    for leaf in leaves:
        leaf.requires_grad_()
    torch.autograd.gradcheck(lambda i, d, v: soft_lif_rate(i, d, v, gamma, 0.5), leaves, eps=1e-7, atol=1e-4, rtol=1e-3)


def test_a_softer_curve_is_above_the_hard_one_and_close_to_it_where_it_is_hard() -> None:
    current = torch.linspace(-1, 4, 200)
    dv, vth = torch.tensor(0.1), torch.tensor(1.0)
    hard, mild, soft = (soft_lif_rate(current, dv, vth, gamma, 0.5) for gamma in (0.0, 0.02, 0.3))
    assert bool((soft >= mild).all()) and bool((mild >= hard).all())
    assert (mild - hard)[current > 0.15].max() < 1e-3
    assert bool(torch.isfinite(soft_lif_rate(torch.tensor([-1e6, 1e6]), dv, vth, 0.01, 0.5)).all())


def test_the_whole_rate_network_s_gradient_is_that_of_finite_differences() -> None:
    method = SoftLif(NETWORK, TRAINING)
    torch.manual_seed(0)
    network = method.build((6,), 3).double().eval()
    for _, block in network.spiking_blocks():
        block.chip = None
    x, y = (torch.rand(20, 5, 6) < 0.4).to(torch.uint8), torch.tensor([0, 1, 2, 0, 1])
    weight = network.get_parameter("layers.layer1.synapse.weight")
    (slope,) = torch.autograd.grad(method.loss(network, x, y), [weight])
    assert slope.abs().max() > 1e-4
    for place in [(0, 0), (5, 3), (23, 5)]:
        with torch.no_grad():
            losses = []
            for sign in (1, -1):
                weight[place] += sign * 1e-5
                losses.append(method.loss(network, x, y).item())
                weight[place] -= sign * 1e-5
        assert slope[place].item() == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-4, abs=1e-9)


def test_noise_is_of_its_size_on_hidden_neurons_that_fire_and_only_in_training() -> None:
    method = SoftLif(NETWORK, TrainConfig(options={"noise": 0.02}))
    torch.manual_seed(0)
    network = method.build((6,), 3).eval()
    x = torch.rand(2000, 6)
    calm = method.rates(network, x)
    assert torch.equal(calm["layer1"], method.rates(network, x)["layer1"])
    # the hard curve is above 0 exactly where the current is above threshold
    fires = SoftLif(NETWORK, TrainConfig(options={"gamma": 0.0})).rates(network, x)["layer1"] > 0
    network.train()
    network.freeze_norms()
    noisy = method.rates(network, x)["layer1"]
    noise = noisy - calm["layer1"]
    often = fires & (calm["layer1"] > 0.1)
    assert noise[often].std().item() == pytest.approx(0.02, rel=0.05) and noise[often].mean().abs() < 1e-3
    assert bool(often.any()) and bool((noise[~fires] == 0).all())
    # a softened rate just below threshold gets none, large as it is
    assert bool((calm["layer1"][~fires] > 0.02).any())


def test_noise_leaves_no_rate_below_0_and_the_gradient_as_it_was() -> None:
    torch.manual_seed(0)
    rate = (0.1 * torch.rand(1000)).requires_grad_()
    fires = torch.rand(1000) > 0.3
    noisy = noisy_rate(rate, fires, 0.05)
    assert noisy.min() > -1e-7 and bool((noisy[fires] < 1e-7).any())
    (slope,) = torch.autograd.grad(noisy.sum(), [rate])
    assert torch.equal(slope, torch.ones(1000))


@given(st.floats(0.02, 0.6), st.floats(0.5, 3.0), st.floats(0.1, 3.0))
def test_a_neuron_is_above_threshold_where_the_hard_curve_has_a_rate(dv: float, vth: float, over: float) -> None:
    current = number(over * vth * dv)
    rate = soft_lif_rate(current, number(dv), number(vth), 0.0, 1.0).item()
    assert above_threshold(current, number(dv), number(vth)).item() == (rate > 0) or abs(over - 1) < 1e-9


@pytest.mark.parametrize(
    "layers", [(LayerConfig(size=64),), (LayerConfig("conv", 6), LayerConfig("sew", 6), LayerConfig(size=16, pool=2))]
)
def test_exchanging_the_activation_gives_spikes_of_the_rates(layers: tuple[LayerConfig, ...]) -> None:
    data = load_dataset("digits" if len(layers) == 1 else "digits_image", 0)
    network = NetworkConfig(layers, "cuba_lif", du=0.3, vth=3.0)
    method = SoftLif(network, replace(TRAINING, epochs=12)).fit(data, progress=False)
    x = torch.from_numpy(method.encode(data.x_test[:100]))
    with torch.no_grad():
        rates = method.rates(method.spiking_network, x.float().mean(0))
        spikes = method.spiking_network.run(x)
    for name, rate in rates.items():
        assert rate.shape == spikes[name].shape[1:]
        assert abs(rate.mean() - spikes[name].mean(0).mean()) < 0.05
    assert (method.predict(data.x_test) == data.y_test).mean() > 0.9


def test_what_has_no_rate_is_refused() -> None:
    recurrent = NetworkConfig((LayerConfig(size=8, recurrent=True),))
    for network, message in ((recurrent, "leave recurrent out"), (NetworkConfig(dv=0.0), "needs 0 < dv < 1")):
        with pytest.raises(InputError, match=message):
            SoftLif(network, TRAINING).build((6,), 3)
    for options in ({"gamma": -0.1}, {"noise": -1.0}, {"refractory": 0.0}):
        with pytest.raises(InputError, match=next(iter(options))):
            SoftLif(NETWORK, TrainConfig(options=options))
    assert get_method("soft_lif") is SoftLif


def test_a_readout_s_voltage_is_where_its_integrators_end_under_constant_rates() -> None:
    method = SoftLif(NETWORK, replace(TRAINING, task="membrane"))
    torch.manual_seed(0)
    network = method.build((6,), 3).double().eval()
    for _, block in network.spiking_blocks():
        block.chip = None
    with torch.no_grad():
        network.get_parameter("layers.layer2.bias").copy_(torch.tensor([0.3, -0.2, 0.1]))
        rates = method.rates(network, torch.rand(5, 6, dtype=torch.float64))
        hidden, voltage = rates.values()
        readout = network.layers["layer2"]
        assert torch.allclose(readout(hidden.expand(400, *hidden.shape))[-1], voltage)


def test_voltages_are_trained_for_the_class_and_refused_for_anything_else() -> None:
    data = load_dataset("digits", 0)
    training = replace(TRAINING, epochs=12, task="membrane")
    method = SoftLif(replace(NETWORK, vth=3.0), training).fit(data, progress=False)
    assert method.network_config.readout == "membrane"
    assert (method.predict(data.x_test) == data.y_test).mean() > 0.93
    sparse = SoftLif(NETWORK, replace(training, sparsity=Sparsity(penalty=0.01)))
    x, y = torch.from_numpy(method.encode(data.x_test[:8])), torch.from_numpy(data.y_test[:8])
    network = method.spiking_network
    with torch.no_grad():
        spikes = len(x) * method.rates(network, x.float().mean(0))["layer1"].sum(1).mean()
        more = sparse.loss(network, x, y) - method.loss(network, x, y)
    assert more.item() == pytest.approx(0.01 * spikes.item(), rel=1e-3)
    with pytest.raises(InputError, match="'soft_lif' has a loss of its own"):
        SoftLif(NETWORK, replace(TRAINING, task="regression"))
    with pytest.raises(InputError, match="label_smoothing is for the loss ce_count"):
        SoftLif(NETWORK, replace(training, label_smoothing=0.1))
