"""Networks: what inference_layers() says is what the eval-mode forward pass computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from network_cases import Array, connect, randomised
from numpy.typing import NDArray
from torch import nn

from spikeport.common.errors import InputError
from spikeport.hardware_profiles.fixed_point import STATE_UNIT
from spikeport.trainer.network.inference_layers import InferenceLayer
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig, build_network
from spikeport.trainer.network.spiking_network import Flatten, SpikingBlock, SpikingNetwork
from spikeport.trainer.neuron_step.neurons import LIF, CubaLIF

CONV = (LayerConfig("conv", 4), LayerConfig("conv", 6, stride=2, dilation=2, padding=2, groups=2))


def simulate(layer: InferenceLayer, spikes: Array) -> Array:
    """Spikes (T, *output_shape) of one layer for input spikes (T, *input) of one sample.

    In the chip's integers if it is trained for them: numbers times the scale, decays toward zero.
    """
    whole = layer.chip_vth is not None
    scale = (layer.chip_vth or 0) * STATE_UNIT / layer.threshold.max() if whole else 1.0

    def chip(values: Array) -> Array:
        return np.rint(values * scale) if whole else values

    def decayed(state: Array, decay: Array) -> Array:
        left = state * (1 - decay)
        return np.trunc(left) if whole else left

    u: Array = np.zeros(layer.output_shape)
    v: Array = np.zeros(layer.output_shape)
    fired: list[NDArray[np.bool_]] = []
    bias = chip(layer.bias.reshape(-1, *[1] * (len(layer.output_shape) - 1)))
    for step in spikes:
        u = decayed(u, layer.current_decay) + chip(connect(layer, step.ravel() if layer.flatten_before else step))
        v = np.add(decayed(v, layer.voltage_decay), u + bias)
        fired.append(v > chip(layer.threshold))
        v[fired[-1]] = 0
    return np.array(fired, dtype=np.float64)


@pytest.mark.parametrize("chip_aware", [None, 8, 4])
@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("neuron", ["lif", "cuba_lif"])
@pytest.mark.parametrize(("layers", "shape"), [((LayerConfig(size=20),), (12,)), (CONV, (2, 5, 6))])
def test_a_plain_simulation_of_effective_layers_gives_the_same_spikes(  # type: ignore[no-untyped-def]
    layers, shape, neuron, batch_norm: bool, chip_aware
) -> None:
    torch.manual_seed(0)
    config = NetworkConfig(layers, neuron, du=0.37, dv=0.21, batch_norm=batch_norm, chip_aware=chip_aware)
    network = randomised(build_network(config, shape, 5), seed=1)
    x = (np.random.default_rng(2).random((12, 3, *shape)) < 0.4).astype(np.uint8)
    with torch.no_grad():
        measured = network.run(torch.from_numpy(x))
    effective = network.inference_layers()
    assert [layer.name for layer in effective] == list(measured)
    for sample in range(x.shape[1]):
        spikes = x[:, sample].astype(np.float64)
        for layer in effective:
            spikes = simulate(layer, spikes)
            np.testing.assert_array_equal(spikes, measured[layer.name][:, sample].numpy())
    assert all(0.02 < float(spikes.mean()) < 0.98 for spikes in measured.values())


def test_per_neuron_values_reach_effective_layers_in_the_output_shape() -> None:
    per_channel = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64).reshape(3, 1, 1)
    block = SpikingBlock(nn.Conv2d(1, 3, 3, bias=False), CubaLIF(per_channel, 0.5, torch.ones(3, 2, 2)))
    (layer,) = SpikingNetwork((1, 4, 4), [block]).inference_layers()
    assert layer.current_decay.shape == layer.threshold.shape == layer.output_shape == (3, 2, 2)
    assert layer.voltage_decay.shape == () and layer.bias.tolist() == [0, 0, 0]
    np.testing.assert_allclose(layer.current_decay[:, 0, 0], [0.1, 0.2, 0.3], rtol=1e-6)


@pytest.mark.parametrize("neuron", ["lif", "cuba_lif"])
def test_folding_the_running_statistics_does_what_batch_norm_does(neuron) -> None:  # type: ignore[no-untyped-def]
    config = NetworkConfig((LayerConfig("conv", 4),), neuron, dv=0.2, chip_aware=None)
    network = randomised(build_network(config, (1, 4, 4), 3), seed=5)
    x = (torch.rand(10, 2, 1, 4, 4, generator=torch.Generator().manual_seed(0)) < 0.5).double()
    block = network.layers["layer1"]
    assert isinstance(block, SpikingBlock) and block.norm is not None
    current = block.neuron.current(block.synapse(x.flatten(0, 1)).view(10, 2, 4, 4, 4), block.neuron.current_decay())
    expected = block.neuron.fire(
        block.norm(current.flatten(0, 1)).view_as(current), torch.tensor(0.2).double(), torch.tensor(1.0)
    )
    assert torch.equal(block(x), expected) and expected.sum() > 0


def test_training_normalises_the_filtered_current_over_time_and_batch() -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(4, momentum=1.0)
    block = SpikingBlock(nn.Linear(6, 4, bias=False), CubaLIF(0.3, 0.1), norm)
    x = (torch.rand(9, 5, 6) < 0.5).float()
    block(x)
    u = block.neuron.current(x @ block.synapse.weight.T, torch.tensor(0.3))
    assert norm.running_mean is not None
    torch.testing.assert_close(norm.running_mean, u.mean((0, 1)))


def test_frozen_norms_train_with_the_numbers_of_eval_mode() -> None:
    torch.manual_seed(0)
    network = build_network(NetworkConfig((LayerConfig(size=30),), "cuba_lif"), (8,), 4)
    x = (torch.rand(10, 6, 8) < 0.5).float()
    network.train()(x)
    statistics = network.state_dict()["layers.layer1.norm.running_mean"].clone()
    network.freeze_norms()
    trained = network(x)
    assert torch.equal(network.state_dict()["layers.layer1.norm.running_mean"], statistics)
    trained.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert torch.equal(network.eval()(x), trained)


def test_flatten_is_put_before_a_dense_layer_and_told() -> None:
    network = build_network(NetworkConfig(CONV), (2, 5, 6), 5, dt=2e-3)
    layers = network.inference_layers()
    assert [(layer.name, layer.kind, layer.flatten_before) for layer in layers] == [
        ("layer1", "conv", False),
        ("layer2", "conv", False),
        ("layer3", "dense", True),
    ]
    assert layers[1].output_shape == (6, 3, 3) and layers[1].groups == 2 and network.dt == 2e-3
    assert layers[2].weight.shape == (5, 54)


def test_blocks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="layer1 takes 3 features"):
        SpikingNetwork((4,), [SpikingBlock(nn.Linear(3, 2, bias=False), LIF(0.1))])
    with pytest.raises(InputError, match="bias=False"):
        SpikingBlock(nn.Linear(3, 2), LIF(0.1))
    with pytest.raises(InputError, match="at least one"):
        SpikingNetwork((4,), [Flatten()])
    with pytest.raises(InputError, match="convolution"):
        build_network(NetworkConfig((LayerConfig("conv", 4),)), (8,), 2)
    with pytest.raises(InputError, match="kernel larger"):
        build_network(NetworkConfig((LayerConfig("conv", 4, padding=0),)), (1, 2, 2), 2)
    with pytest.raises(InputError, match="groups"):
        build_network(NetworkConfig((LayerConfig("conv", 4, groups=2),)), (1, 8, 8), 2)


def test_an_input_of_another_shape_is_refused() -> None:
    network = build_network(NetworkConfig(), (8,), 2)
    with pytest.raises(InputError, match=r"not an input of \(5, 3, 9\)"):
        network(torch.zeros(5, 3, 9))


@pytest.mark.parametrize(
    "wrong",
    [{"neuron": "liff"}, {"dv": 1.5}, {"vth": 0.0}, {"surrogate": "atn"}, {"surrogate_width": 0.0}, {"chip_aware": 9}],
)
def test_wrong_network_settings_are_refused(wrong) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError):
        NetworkConfig(**wrong)


@pytest.mark.parametrize("delays", ["none", "axonal", "synaptic"])
def test_16_bit_products_are_summed_over_time_in_32(delays: str) -> None:
    torch.manual_seed(0)
    layers = (LayerConfig(size=5, delays=delays),)
    network = build_network(NetworkConfig(layers, "cuba_lif"), (8,), 3).train()
    _, block = next(network.spiking_blocks())
    currents = []
    fire = block.neuron.fire_normalised

    def recorded(current: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        currents.append(current.dtype)
        return fire(current, *others)

    block.neuron.fire_normalised = recorded
    with torch.autocast("cpu", torch.bfloat16):
        network(torch.ones(4, 6, 8))
    assert currents == [torch.float32]
