"""Chip-exact training: every spike of every layer is the chip's, whatever the network."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from chip_exact import assert_equal_spikes, chip_spikes, compiled
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeport.common.errors import InputError
from spikeport.exporter.compile import compile_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.from_torch import network_to_nir
from spikeport.exporter.nir_graph.nir_file import read_nir
from spikeport.hardware_profiles import load_chip
from spikeport.hardware_profiles.fixed_point import STATE_UNIT
from spikeport.trainer.data import load_dataset
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.methods.registry import get_method
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import (
    NetworkConfig,
    build_network,
    read_network,
    stored_network,
    widest_bits,
)
from spikeport.trainer.network.spiking_network import SpikingNetwork

DENSE = (LayerConfig(size=24), LayerConfig(size=20))
RECURRENT = (LayerConfig(size=24, recurrent=True), LayerConfig(size=20))
CONV = (LayerConfig("conv", 6, kernel=3, stride=2), LayerConfig("conv", 4, pool=2))
SEW = (LayerConfig("conv", 4), LayerConfig("sew", 4, join="add"), LayerConfig("sew", 6, join="iand", stride=2))
PLAIN = (LayerConfig("conv", 4), LayerConfig("spiking_resnet", 6, stride=2))
IMAGES = (CONV, SEW, PLAIN)


def spiking(network: SpikingNetwork, seed: int) -> SpikingNetwork:
    """The network with batch norm's statistics, weights and biases as training might leave them."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(value: torch.Tensor, low: float, high: float) -> None:
        value.copy_(torch.rand(value.shape, generator=generator) * (high - low) + low)

    with torch.no_grad():
        for _, block in network.spiking_blocks():
            for norm in (block.norm, block.shortcut_norm):
                if norm is not None:
                    drawn(norm.running_mean, -0.3, 0.3)
                    drawn(norm.running_var, 0.05, 1)
                    drawn(norm.weight, 0.5, 2)
                    drawn(norm.bias, -0.2, 0.6)
            if block.bias is not None:
                drawn(block.bias, -0.1, 0.3)
    return network.eval()


@given(
    layers=st.sampled_from([DENSE, RECURRENT, CONV, SEW, PLAIN]),
    cuba=st.booleans(),
    norm=st.booleans(),
    du=st.floats(0.05, 0.95),
    dv=st.floats(0.01, 0.95),
    bits=st.sampled_from([8, 6, 4]),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=40, deadline=None)
def test_every_spike_is_the_chip_s(
    layers: tuple[LayerConfig, ...], cuba: bool, norm: bool, du: float, dv: float, bits: int, seed: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    torch.manual_seed(seed)
    neuron: Any = "cuba_lif" if cuba else "lif"
    config = NetworkConfig(layers, neuron, du=du, dv=dv, batch_norm=norm, chip_aware=bits, vth=0.7)
    shape = (1, 8, 8) if layers in IMAGES else (30,)
    network = spiking(build_network(config, shape, 5), seed)
    x = (np.random.default_rng(seed).random((12, 6, *shape)) < 0.4).astype(np.uint8)
    assert_equal_spikes(network, x, tmp_path_factory.mktemp("exact"), bits)


@pytest.mark.parametrize(
    ("name", "layers", "neuron", "options", "norm"),
    [
        ("bptt", RECURRENT, "cuba_lif", {}, False),
        ("bptt", CONV, "lif", {}, True),
        ("surrogate_bn", PLAIN, "lif", {}, True),
        ("sew_resnet", SEW, "lif", {}, True),
        ("tssl_bp", DENSE, "cuba_lif", {}, True),
        ("tssl_bp", CONV, "lif", {"loss": "count"}, False),
        ("st_rsbp", RECURRENT, "cuba_lif", {}, False),
        ("st_rsbp", CONV, "lif", {}, False),
        ("membrane_bp", DENSE, "lif", {"inhibition": 0.05, "output_inhibition": 0.3}, False),
        ("membrane_bp", CONV, "lif", {}, False),
        ("soft_lif", DENSE, "cuba_lif", {}, True),
    ],
)
def test_every_method_ends_with_the_chip_s_spikes(
    name: str, layers: tuple[LayerConfig, ...], neuron: Any, options: dict[str, Any], norm: bool, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    data = load_dataset("digits_image" if layers in IMAGES else "digits", 0)
    data = replace(
        data, x_train=data.x_train[:200], y_train=data.y_train[:200], x_test=data.x_test[:60], y_test=data.y_test[:60]
    )
    network = NetworkConfig(layers, neuron, du=0.4, dv=0.1, batch_norm=norm)
    training = TrainConfig(method=name, epochs=2, steps=12, norm_epochs=0.5, options=options)
    method = get_method(name)(network, training).fit(data, progress=False)
    assert assert_equal_spikes(method.spiking_network, method.encode(data.x_test), tmp_path) > 0


@pytest.mark.parametrize("layers", [RECURRENT, CONV, SEW])
def test_16_bit_matrix_products_leave_the_integers_whole(layers: tuple[LayerConfig, ...]) -> None:
    torch.manual_seed(3)
    shape = (1, 8, 8) if layers in IMAGES else (30,)
    network = spiking(build_network(NetworkConfig(layers, "cuba_lif", du=0.3, vth=0.5), shape, 5), 3)
    x = (torch.rand(20, 16, *shape) < 0.4).to(torch.uint8)
    with torch.no_grad():
        wanted = network.run(x)
        with torch.autocast("cpu", torch.bfloat16):
            found = network.run(x)
    assert all(torch.equal(found[name], spikes) for name, spikes in wanted.items())


def test_no_way_of_compiling_rounds_them_again(tmp_path: Path) -> None:
    torch.manual_seed(4)
    network = spiking(build_network(NetworkConfig(DENSE, "cuba_lif", du=0.3, dv=0.07), (30,), 5), 4)
    plain = compiled(network, tmp_path)
    x = (np.random.default_rng(4).random((12, 6, 30)) < 0.4).astype(np.uint8)
    graph, chip = read_nir(tmp_path / "model.nir"), load_chip("loihi2")
    for program in (
        compile_graph(graph, chip, CompileOptions(precision="high")),
        compile_graph(graph, chip, CompileOptions(calibration=x)),
        compile_graph(graph, load_chip("loihi1")),
    ):
        for one, other in zip(plain.connections, program.connections, strict=True):
            np.testing.assert_array_equal(one.weights << one.weight_exp, other.weights << other.weight_exp)
        for first, second in zip(plain.populations, program.populations, strict=True):
            for name in ("du", "dv", "vth", "bias"):
                np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_a_changed_network_is_rounded_as_any_other(tmp_path: Path) -> None:
    torch.manual_seed(5)
    network = spiking(build_network(NetworkConfig(DENSE, "lif"), (30,), 5), 5)
    compiled(network, tmp_path)
    graph = read_nir(tmp_path / "model.nir")
    said = compile_graph(graph, load_chip("loihi2"))
    graph.nodes["layer1_synapse"].weight = graph.nodes["layer1_synapse"].weight * 1.0371
    changed = compile_graph(graph, load_chip("loihi2"))
    del graph.nodes["layer1"].metadata["vth"]
    plain = compile_graph(graph, load_chip("loihi2"))
    for first, second in zip(changed.connections, plain.connections, strict=True):
        np.testing.assert_array_equal(first.weights, second.weights)
    assert any(np.any(a.vth != b.vth) for a, b in zip(said.populations, plain.populations, strict=True))  # type: ignore[attr-defined]


def test_the_program_holds_the_trainer_s_integers(tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = spiking(build_network(NetworkConfig(DENSE, "cuba_lif", du=0.3, dv=0.07), (30,), 5), 2)
    program = compiled(network, tmp_path)
    for name, block in network.spiking_blocks():
        layer, population = block.tensors(), program.population(name)
        assert layer.chip is not None
        (connection,) = program.into(name)
        held = connection.weights.astype(np.float64)
        wanted = (layer.weight.double() * (layer.chip.scale / STATE_UNIT)).detach().numpy()
        weights = held if held.ndim == 2 else None
        assert weights is not None
        np.testing.assert_allclose(weights * 2.0**connection.weight_exp, wanted, atol=1e-2)
        np.testing.assert_array_equal(population.vth, layer.chip.vth)
        np.testing.assert_allclose(population.bias, (layer.bias * layer.chip.scale).detach().numpy(), atol=0.2)


def test_what_a_deep_layer_s_bias_makes_it_spike_too_early_reaches_no_layer(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = (LayerConfig("conv", 4), LayerConfig("conv", 4, repeat=13))
    network = build_network(NetworkConfig(layers, du=0.3, dv=0.5), (1, 4, 4), 3)
    for number, (_, block) in enumerate(network.spiking_blocks()):
        if block.norm is not None and number % 2:
            # most channels of every second layer spike by their bias alone; the others have none
            torch.nn.init.uniform_(block.norm.bias, 0.8, 1.6)
    x = (np.random.default_rng(0).random((8, 4, 1, 4, 4)) < 0.5).astype(np.uint8)
    assert assert_equal_spikes(network.eval(), x, tmp_path)
    program = compiled(network, tmp_path)
    result = chip_spikes(program, x)[1]
    early = [p.name for p in program.populations if result.states[f"s/{p.name}"][: program.latency[p.name]].any()]
    assert early


def test_layers_may_have_bits_of_their_own(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = LayerConfig("conv", 4, weight_bits=2), LayerConfig("sew", 6, stride=2, weight_bits=5), LayerConfig(size=12)
    config = NetworkConfig(layers, chip_aware=4, vth=0.5)
    network = build_network(config, (1, 6, 6), 3)
    x = (np.random.default_rng(0).random((12, 8, 1, 6, 6)) < 0.4).astype(np.uint8)
    for _ in range(10):
        network(torch.from_numpy(x))
    assert read_network(json.loads(json.dumps(stored_network(config)))) == config and widest_bits(config) == 5
    assert assert_equal_spikes(network, x, tmp_path) > 0
    program = compiled(network, tmp_path)
    wanted = {"layer1": 2, "layer2": 5, "layer3": 5, "layer4": 5, "layer5": 4, "layer6": 4}
    assert {c.target: c.weight_bits for c in program.connections} == wanted
    # the option is the most that a layer gets
    fewer = compiled(network, tmp_path, bits=4)
    assert {c.weight_bits for c in fewer.connections if c.target == "layer2"} == {4}
    same = build_network(NetworkConfig((LayerConfig(size=5, weight_bits=4),), chip_aware=4), (3,), 2)
    assert "weight_bits" not in network_to_nir(same.eval()).nodes["layer1"].metadata
    with pytest.raises(InputError, match="2 to 8 bits, not 9"):
        LayerConfig(weight_bits=9)
    for bits in (4.5, "4"):
        with pytest.raises(InputError, match="2 to 8 bits, not"):
            LayerConfig(weight_bits=bits)  # type: ignore[arg-type]
