"""Biases of deep layers act on the chip before their input arrives: any of them fires as training did."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spikeport.exporter.compile import compile_graph
from spikeport.exporter.from_torch import network_to_nir
from spikeport.exporter.neurons import CubaLIReset
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.result import differences
from spikeport.lava_runtime.simulate import simulate
from spikeport.trainer.network.layer_specs import LayerConfig
from spikeport.trainer.network.network_config import NetworkConfig, build_network, read_network, stored_network
from spikeport.trainer.network.spiking_network import SpikingNetwork, sent_on_chip

DEEP = NetworkConfig(tuple(LayerConfig(size=7) for _ in range(6)), dv=0.1, batch_norm=False)


def with_biases(config: NetworkConfig, largest: float, seed: int) -> SpikingNetwork:
    """A network with random biases up to some thresholds in size, of both signs."""
    torch.manual_seed(seed)
    network = build_network(config, (5,), 4)
    for _, block in network.spiking_blocks():
        nn.init.uniform_(block.bias, -largest, largest)  # type: ignore[arg-type]
        nn.init.normal_(block.synapse.weight, 0, 2 / block.synapse.weight.shape[1] ** 0.5)
    return network.eval()


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.booleans(), min_size=1, max_size=5),
    st.sampled_from(["lif", "cuba_lif"]),
    st.sampled_from([0.05, 0.1, 0.3]),
    st.sampled_from([0.3, 1.0, 3.0]),
    st.sampled_from(["spikes", "membrane"]),
    st.integers(0, 2**31),
)
def test_the_chip_fires_as_training_did(
    recurrent: list[bool], neuron: str, dv: float, largest: float, readout: str, seed: int
) -> None:
    layers = tuple(LayerConfig(size=6, recurrent=each) for each in recurrent)
    config = NetworkConfig(layers, neuron, dv=dv, batch_norm=False, readout=readout)  # type: ignore[arg-type]
    network = with_biases(config, largest, seed)
    x = np.random.default_rng(seed).integers(0, 2, (9, 3, 5), dtype=np.uint8)
    trained = {name: values.detach() for name, values in network.run(torch.from_numpy(x)).items()}
    program = compile_graph(network_to_nir(network), load_chip("loihi2"))
    states = simulate(program, x, record="layers").states
    if network.readout is not None:
        last = list(trained)[-1]
        trained[last] = torch.from_numpy(sent_on_chip(network, trained[last])[0])
    for name, wanted in trained.items():
        found = states.get(f"s/{name}")
        late = program.latency.get(name, 0)
        chip = np.zeros(wanted.shape) if found is None else found[late : late + len(x)].reshape(wanted.shape)
        # the trainer's float32 holds whole numbers of 24 bit, less one for the division by the scale
        np.testing.assert_allclose(chip, wanted.numpy(), rtol=2**-22, atol=0)


@pytest.mark.lava
def test_a_readout_too_deep_for_any_start_voltage_waits_behind_one_reset() -> None:
    layers = tuple(LayerConfig(size=6) for _ in range(24))
    network = with_biases(NetworkConfig(layers, dv=0.3, batch_norm=False, readout="membrane"), 0.8, 1)
    x = np.random.default_rng(1).integers(0, 2, (5, 3, 5), dtype=np.uint8)
    last, voltages = list(network.run(torch.from_numpy(x)).items())[-1]
    program = compile_graph(network_to_nir(network), load_chip("loihi2"))
    assert isinstance(program.population(last), CubaLIReset)
    assert not any("bias" in note for note in program.quantisation[last].notes)
    late = program.latency[last]
    found = {backend: simulate(program, x, backend, 5 + late, "all") for backend in ("emulator", "lava", "stock")}
    wanted = sent_on_chip(network, voltages.detach())[0]
    assert len(np.unique(wanted)) >= 12
    np.testing.assert_allclose(found["emulator"].output[late:], wanted, rtol=2**-22, atol=0)
    for other in ("lava", "stock"):
        assert differences(found["emulator"], found[other]) == []


def test_a_negative_bias_of_a_deep_layer_stays_whole() -> None:
    whole, bounded = (with_biases(replace(DEEP, bounded_bias=bound), 1.5, 3) for bound in (False, True))
    for (name, block), (_, held) in zip(whole.spiking_blocks(), bounded.spiking_blocks(), strict=True):
        floating, lowest = block.folded().bias, held.tensors().bias.detach().min()
        torch.testing.assert_close(block.tensors().bias, floating, atol=0.01, rtol=0)
        if name == "layer6":
            assert floating.min() < -0.5 and lowest > -0.15


def test_networks_of_earlier_versions_keep_their_bound() -> None:
    stored = stored_network(DEEP)
    assert read_network(stored) == DEEP
    del stored["bounded_bias"]
    earlier = read_network(stored)
    assert earlier.bounded_bias and stored_network(earlier) == stored
