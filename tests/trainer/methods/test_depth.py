"""surrogate_bn and sew_resnet against what their papers say of depth, identity and gradients."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spikeport.common.errors import InputError
from spikeport.trainer.data import Dataset
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.initialisation.gradient_growth import gradient_growth_per_layer, gradient_norms
from spikeport.trainer.methods.initialisation.identity_init import start_as_identity
from spikeport.trainer.methods.registry import get_method, load_trained
from spikeport.trainer.methods.sew_resnet import SewResnet
from spikeport.trainer.methods.surrogate_bn import SurrogateBn, set_height, tuned_height
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig, build_network
from spikeport.trainer.network.spiking_network import Join, SpikingBlock, SpikingNetwork
from spikeport.trainer.neuron_step.dynamics import fire_stepwise, integrate_and_fire
from spikeport.trainer.neuron_step.fused import supports_surrogate
from spikeport.trainer.neuron_step.surrogates import atan, surrogate

X = (torch.rand(6, 24, 1, 8, 8, generator=torch.Generator().manual_seed(1)) < 0.4).float()
Y = torch.arange(24) % 10
TRAINING = TrainConfig(epochs=3, batch_size=20, steps=5, learning_rate=0.01, norm_epochs=0.5)


def deep(kind: str, depth: int, width: float, **settings: object) -> SpikingNetwork:
    """That many layers of 8 channels: a chain of convolutions, or residual blocks."""
    torch.manual_seed(0)
    repeat = depth - 2 if kind == "conv" else (depth - 2) // 2
    layers = (LayerConfig("conv", 8), LayerConfig(kind, 8, repeat=repeat, **settings))  # type: ignore[arg-type]
    config = NetworkConfig(layers, dv=0.1, surrogate_width=width, chip_aware=None, output_pool=8)
    return build_network(config, (1, 8, 8), 10).train()


def loss(network: SpikingNetwork, x: Tensor, y: Tensor) -> Tensor:
    return nn.functional.cross_entropy(network(x).sum(0), y)


def first_over_last(norms: dict[str, float]) -> float:
    values = list(norms.values())
    return values[0] / values[-1]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def images() -> Dataset:
    """Three classes of bars with noise, 1 x 6 x 6."""
    generator = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = (0.3 * generator.random((90, 1, 6, 6))).astype(np.float32)
    for sample, label in enumerate(y):
        x[sample, 0, 2 * label : 2 * label + 2] += 0.7
    return Dataset(x[:60], y[:60], x[60:], y[60:], (1, 6, 6), 3, "bars")


@pytest.mark.parametrize("kind", ["conv", "spiking_resnet"])
def test_gradients_explode_or_vanish_with_depth_for_bad_widths(kind: str) -> None:
    for width, larger in ((0.1, True), (2.0, False)):
        ratios = [first_over_last(gradient_norms(deep(kind, depth, width), loss, X, Y)) for depth in (8, 18, 34, 50)]
        assert ratios == sorted(ratios, reverse=not larger)
        assert ratios[-1] > 1e12 if larger else ratios[-1] < 1e-10


@pytest.mark.parametrize("width", [0.1, 0.5, 2.0])
@pytest.mark.parametrize(("kind", "depth"), [("conv", 8), ("conv", 50), ("spiking_resnet", 18), ("spiking_resnet", 50)])
def test_the_tuned_height_does_neither_at_any_depth(kind: str, depth: int, width: float) -> None:
    method = SurrogateBn(NetworkConfig(), TrainConfig())
    network = deep(kind, depth, width)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    tuned_height(method, network, X, Y)
    norms = gradient_norms(network, method.loss, X, Y)
    assert abs(gradient_growth_per_layer(norms)) < 0.01
    assert 1 / 30 < first_over_last(norms) < 30
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items()), "statistics moved"


def test_in_a_chain_the_norm_goes_as_a_power_of_the_height() -> None:
    network = deep("conv", 8, 0.5)
    once = list(gradient_norms(network, loss, X, Y).values())
    set_height(network, 1.5)
    again = list(gradient_norms(network, loss, X, Y).values())
    # the last layer's own spikes have no surrogate behind them
    np.testing.assert_allclose(np.array(again) / once, [1.5**back for back in range(8)][::-1][:8], rtol=1e-3)


def test_the_gradient_is_that_of_a_hand_computed_case() -> None:
    # two neurons in a chain, two steps, dv = 0.5, vth = 1, weights 1.2 and 0.9, input 1, 0; triangle of width 1, h = 2
    spike = replace(surrogate("triangle"), height=2.0)
    dv, vth = torch.tensor(0.5), torch.tensor(1.0)
    first, second = torch.tensor(1.2, requires_grad=True), torch.tensor(0.9, requires_grad=True)
    x = torch.tensor([1.0, 0.0]).view(2, 1, 1)
    hidden = integrate_and_fire(first * x, dv, vth, spike, 1.0)
    out = integrate_and_fire(second * hidden, dv, vth, spike, 1.0)
    assert hidden.flatten().tolist() == [1, 0] and out.flatten().tolist() == [0, 0]
    out.sum().backward()
    # v1 = 1.2 (slope 2 * 0.8), 0 (slope 0); v2 = 0.9 (slope 2 * 0.9), 0.45 (slope 2 * 0.45)
    to_hidden = 1.8 + 0.9 * 0.5
    assert second.grad is not None and first.grad is not None
    assert second.grad.item() == pytest.approx(to_hidden, rel=1e-6)
    assert first.grad.item() == pytest.approx(to_hidden * 0.9 * 1.6, rel=1e-6)


@pytest.mark.parametrize("name", ["atan", "fast_sigmoid", "triangle"])
def test_the_compiled_pass_knows_the_height_to_the_last_bit(name: str) -> None:
    spike = replace(surrogate(name), height=1.7)
    current = torch.rand(6, 4, 5, requires_grad=True)
    dv, vth = torch.tensor(0.2), torch.tensor(0.9)
    direction = torch.randn(6, 4, 5)
    assert supports_surrogate(spike)
    (fused,) = torch.autograd.grad((integrate_and_fire(current, dv, vth, spike, 0.5) * direction).sum(), [current])
    plain, _ = fire_stepwise(current, 1 - dv, vth, spike, 0.5)
    (stepwise,) = torch.autograd.grad((plain * direction).sum(), [current])
    torch.testing.assert_close(fused, stepwise, rtol=1e-6, atol=1e-7)
    assert fused.abs().sum() > 0


@dataclass(frozen=True)
class _Smooth:
    """What the arc tangent's slope is the slope of: smooth going forward, too."""

    name: str = "smooth"
    height: float = 1.0

    def __call__(self, x: Tensor, width: float) -> Tensor:
        return torch.atan(x * (0.5 * math.pi / width)) / math.pi + 0.5


@pytest.mark.parametrize("join", ["add", "and", "iand"])
@pytest.mark.parametrize("kind", ["sew", "spiking_resnet"])
def test_gradients_agree_with_finite_differences_where_the_network_is_smooth(kind: str, join: str) -> None:
    torch.manual_seed(0)
    layers = (LayerConfig("conv", 2), LayerConfig(kind, 3, stride=2, join=join), LayerConfig(kind, 3, join=join))  # type: ignore[arg-type]
    config = NetworkConfig(layers, dv=0.2, chip_aware=None, output_pool=2)
    network = build_network(config, (1, 4, 4), 3).double().train()
    for _, block in network.spiking_blocks():
        block.neuron.spike = _Smooth()  # type: ignore[assignment]
    # one step: the reset, through which no gradient goes, comes after it
    x = (torch.rand(1, 5, 1, 4, 4) < 0.5).double()
    weights = [block.synapse.weight for _, block in network.spiking_blocks()]

    def run(*_: Tensor) -> Tensor:
        return network(x)

    assert torch.autograd.gradcheck(run, tuple(weights), eps=1e-6, atol=1e-6)


def identity_start(kind: str, join: str = "add", repeat: int = 1) -> SpikingNetwork:
    torch.manual_seed(1)
    layers = (LayerConfig("conv", 4), LayerConfig(kind, 4, repeat=repeat, join=join))  # type: ignore[arg-type]
    return build_network(NetworkConfig(layers, dv=0.2, chip_aware=None), (1, 6, 6), 3).train()


@pytest.mark.parametrize("join", ["add", "and", "iand"])
def test_sew_blocks_can_be_the_identity_and_their_gradient_then_is_one(join: str) -> None:
    network = identity_start("sew", join, repeat=25)
    start_as_identity(network)
    x = X[..., :6, :6]
    values = network.evaluate(x)
    joins = [name for name, block in network.layers.items() if isinstance(block, Join)]
    assert len(joins) == 25 and 0 < values["layer1"].mean() < 1
    assert all(torch.equal(values[name], values["layer1"]) for name in joins)
    # 51 layers deep: the gradient with respect to the first layer's spikes is that of the last block's
    direction = torch.randn(values[joins[-1]].shape)
    (through,) = torch.autograd.grad((values[joins[-1]] * direction).sum(), [values["layer1"]])
    torch.testing.assert_close(through, direction)


def test_the_plain_spiking_resnet_is_no_identity_and_its_gradient_is_a_product_of_slopes() -> None:
    network = identity_start("spiking_resnet", repeat=8)
    with pytest.raises(InputError, match="layer3: one spike of its shortcut, weight 1, does not pass vth"):
        start_as_identity(network)
    for _, block in network.spiking_blocks():
        if block.shortcut is not None and block.norm is not None:
            nn.init.zeros_(block.norm.weight)
    values = network.evaluate(X[..., :6, :6])
    last = list(values)[-3]
    assert not torch.equal(values[last], values["layer1"])
    (through,) = torch.autograd.grad(values[last].sum(), [values["layer1"]])
    # every slope of the arc tangent of width 0.5 is at most 1 and near vth - 0 or 1 - vth it is below
    assert through.abs().mean() < 0.5


def test_a_low_threshold_makes_the_plain_block_the_identity_and_the_tuned_height_its_slope_one() -> None:
    torch.manual_seed(1)
    layers = (LayerConfig("conv", 4), LayerConfig("spiking_resnet", 4, repeat=25))
    config = NetworkConfig(layers, dv=0.2, vth=0.5, surrogate_width=1.0, chip_aware=None, output_pool=6)
    network = build_network(config, (1, 6, 6), 10).train()
    start_as_identity(network)
    x = X[..., :6, :6]
    values = network.evaluate(x)
    assert 0 < values["layer1"].mean() < 1
    assert torch.equal(values["layer51"], values["layer1"])
    height = tuned_height(SurrogateBn(NetworkConfig(), TrainConfig()), network, x, Y)
    # v is 0 or 1 behind an identity: |v - vth| is 0.5; errors of later steps come back through the membrane, too
    assert 0.4 < height * float(atan(torch.tensor(0.5), 1.0)) <= 1.0
    norms = gradient_norms(network, loss, x, Y)
    assert abs(gradient_growth_per_layer(norms)) < 0.01


def test_gradients_of_sew_networks_neither_explode_nor_vanish_where_those_of_plain_ones_do() -> None:
    for width in (0.25, 1.0):
        sew, plain = (
            first_over_last(gradient_norms(deep(k, 50, width), loss, X, Y)) for k in ("sew", "spiking_resnet")
        )
        assert 1e-2 < sew < 1e3
        assert plain > 1e6 or plain < 1e-4


@pytest.mark.parametrize(
    ("method", "kind", "options"),
    [("surrogate_bn", "conv", {}), ("surrogate_bn", "spiking_resnet", {"height": 0.7, "identity_start": True})]
    + [("sew_resnet", "sew", {"identity_start": start}) for start in (True, False)],
)
def test_they_learn_are_saved_and_resumed(
    method: str, kind: str, options: dict[str, object], images: Dataset, tmp_path: Path
) -> None:
    network = NetworkConfig((LayerConfig("conv", 6), LayerConfig(kind, 6, repeat=2)), dv=0.2, vth=0.8, output_pool=2)  # type: ignore[arg-type]
    training = replace(TRAINING, method=method, epochs=12, options=options)
    fitted = get_method(method)(network, training).fit(images, folder=tmp_path, progress=False)
    assert np.mean(fitted.predict(images.x_test) == images.y_test) > 0.9
    fitted.save(tmp_path / "network.safetensors")
    loaded = load_trained(tmp_path / "network.safetensors")
    np.testing.assert_array_equal(loaded.predict_counts(images.x_test), fitted.predict_counts(images.x_test))
    again = get_method(method)(network, training).fit(images, folder=tmp_path, resume=True, progress=False)
    for name, value in fitted.spiking_network.state_dict().items():
        assert torch.equal(value, again.spiking_network.state_dict()[name]), name


def test_an_interrupted_training_with_a_tuned_height_goes_on_as_if_it_had_not_been(
    images: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = NetworkConfig((LayerConfig("conv", 4), LayerConfig("conv", 4)), dv=0.2)
    make = lambda: SurrogateBn(network, replace(TRAINING, method="surrogate_bn"))  # noqa: E731
    whole = make().fit(images, progress=False)
    original = SurrogateBn.begin_epoch

    def interrupted(self: SurrogateBn, model: SpikingNetwork, epoch: int) -> None:
        if epoch == 2:
            raise KeyboardInterrupt
        original(self, model, epoch)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(SurrogateBn, "begin_epoch", interrupted)
        make().fit(images, folder=tmp_path, progress=False)
    resumed = make().fit(images, folder=tmp_path, resume=True, progress=False)
    for name, value in whole.spiking_network.state_dict().items():
        assert torch.equal(value, resumed.spiking_network.state_dict()[name]), name


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(InputError, match='give a layer kind = "sew"'):
        SewResnet(NetworkConfig((LayerConfig("conv", 4),)), TrainConfig()).build((1, 6, 6), 3)
    with pytest.raises(InputError, match="no option 'hight'; did you mean 'height'"):
        SurrogateBn(NetworkConfig(), TrainConfig(options={"hight": 1.0}))
    with pytest.raises(InputError, match="height must be above 0"):
        SurrogateBn(NetworkConfig(), TrainConfig(options={"height": 0.0}))
    network = build_network(NetworkConfig((LayerConfig("sew", 4),), batch_norm=False), (1, 6, 6), 3)
    with pytest.raises(InputError, match="has no batch norm to start as the identity"):
        start_as_identity(network)
    assert isinstance(network.layers["layer1"], SpikingBlock)
