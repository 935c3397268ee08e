"""A trained network through NIR, a file and the compiler: the chip computes with the numbers training computed with."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from strategies import seeds
from torch import nn

from spikeport.common.errors import InputError
from spikeport.exporter.compile import compile_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.from_torch import to_nir
from spikeport.exporter.nir_graph.nir_file import read_nir, write_nir
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.exporter.quantisation.dequantise import stored_weights
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.simulate import simulate
from spikeport.trainer.network.spiking_network import Flatten, SpikingBlock, SpikingNetwork
from spikeport.trainer.neuron_step.neurons import LIF, CubaLIF
from spikeport.trainer.neuron_step.quantise import ChipAware


def dense_network(seed: int, bits: int | None, sizes: tuple[int, ...] = (12, 20, 5)) -> SpikingNetwork:
    """Layers with random weights, biases, decays and thresholds, the last layer unfiltered."""
    torch.manual_seed(seed)
    blocks = []
    for arrival, (before, after) in enumerate(pairwise(sizes), start=1):
        last = arrival == len(sizes) - 1
        each = (after,) if seed % 2 else ()  # decays of one neuron each, or one for the layer
        dv, vth = 0.05 + 0.4 * torch.rand(each), 0.5 + torch.rand(after)
        neuron = LIF(dv, vth) if last else CubaLIF(0.1 + 0.8 * torch.rand(each), dv, vth)
        blocks.append(block(nn.Linear(before, after, bias=False), neuron, bits, arrival))
    return SpikingNetwork((sizes[0],), blocks).eval()


def block(synapse: nn.Linear | nn.Conv2d, neuron: CubaLIF, bits: int | None, arrival: int) -> SpikingBlock:
    """A block with a random bias of either sign."""
    chip = None if bits is None else ChipAware(weight_bits=bits, arrival=arrival)
    made = SpikingBlock(synapse, neuron, chip=chip)
    with torch.no_grad():
        assert made.bias is not None
        made.bias.uniform_(-0.05, 0.05)
        made.synapse.weight.mul_(3)
    return made


def compiled(network: SpikingNetwork, bits: int | None, path: Path) -> ChipProgram:
    """Through the file and back."""
    write_nir(to_nir(network.inference_layers(), network.input_shape, network.dt), path)
    return compile_graph(read_nir(path), load_chip("loihi2"), CompileOptions(weight_bits=bits))


def assert_same_numbers(network: SpikingNetwork, program: ChipProgram) -> None:
    for layer in network.inference_layers():
        population = program.population(layer.name)
        unit = float(layer.threshold.max() / population.vth.max())
        # one connection, or one per sign
        parts = program.into(layer.name)
        sources = program.source_size(parts[0].source)
        stored = stored_weights(parts, (population.size, sources)) * (unit / 64)
        weights = stored.toarray() if isinstance(stored, csr_array) else stored
        np.testing.assert_allclose(weights, layer.weight, rtol=1e-5, atol=1e-9)
        bias = np.repeat(layer.bias, population.size // layer.bias.size)
        np.testing.assert_allclose(population.bias * (unit / 64), bias, rtol=1e-4, atol=1e-9)
        du, dv, vth = (
            np.broadcast_to(value, layer.output_shape).ravel()
            for value in (layer.current_decay, layer.voltage_decay, layer.threshold)
        )
        np.testing.assert_allclose(population.vth * unit, vth, rtol=1e-5)
        np.testing.assert_array_equal(population.dv, np.rint(dv * 4096))
        np.testing.assert_array_equal(population.du, np.rint(du * 4096) - 1)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, bits=st.integers(2, 8))
def test_chip_aware_weights_come_out_as_the_integers_of_training(
    seed: int, bits: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    network = dense_network(seed, bits)
    assert_same_numbers(network, compiled(network, bits, tmp_path_factory.mktemp("nir") / "m.nir"))


@pytest.mark.parametrize(("seed", "bits"), [(0, 8), (1, 8), (2, 4), (3, 3), (4, 2)])
def test_chip_aware_convolutions_come_out_as_the_integers_of_training(seed: int, bits: int, tmp_path: Path) -> None:
    torch.manual_seed(seed)
    network = SpikingNetwork(
        (2, 8, 8),
        [
            block(nn.Conv2d(2, 4, 3, stride=2, padding=1, bias=False), CubaLIF(0.3, 0.2, 0.8), bits, 1),
            block(nn.Conv2d(4, 6, 3, dilation=2, padding=2, bias=False), LIF(0.2, 1.0), bits, 2),
            Flatten(),
            block(nn.Linear(96, 10, bias=False), CubaLIF(0.5, 0.1, 1.0), bits, 3),
        ],
    ).eval()
    assert_same_numbers(network, compiled(network, bits, tmp_path / "m.nir"))


@pytest.mark.parametrize("seed", range(3))
def test_the_chip_answers_like_the_chip_aware_network(seed: int, tmp_path: Path) -> None:
    network = dense_network(seed, 8, (12, 30, 5))
    program = compiled(network, 8, tmp_path / "m.nir")
    x = (np.random.default_rng(seed).random((25, 16, 12)) < 0.4).astype(np.uint8)
    with torch.no_grad():
        wanted = network.double()(torch.from_numpy(x)).numpy()
    found = simulate(program, x, steps=len(x) + program.pipeline_steps).output[program.pipeline_steps :]
    # only states are left to round, toward zero, and near a threshold that can move a spike
    assert np.mean(found == wanted) > 0.99


def test_grouped_convolutions_survive_the_file_as_zeros_between_the_groups(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first, second = (nn.Conv2d(4, n, 3, padding=1, groups=2, bias=False) for n in (4, 6))
    network = SpikingNetwork((4, 6, 6), [block(first, LIF(0.2, 0.5), 8, 1), block(second, LIF(0.2, 0.5), 8, 2)]).eval()
    program = compiled(network, 8, tmp_path / "m.nir")
    x = (np.random.default_rng(0).random((12, 4, 4, 6, 6)) < 0.4).astype(np.uint8)
    with torch.no_grad():
        wanted = network.double()(torch.from_numpy(x)).numpy()
    found = simulate(program, x, steps=len(x) + 2).output[2:]
    assert wanted.mean() > 0.02
    assert np.mean(found == wanted) > 0.99


def test_a_kernel_that_nir_cannot_read_is_refused_by_name() -> None:
    network = SpikingNetwork((1, 6, 6), [block(nn.Conv2d(1, 1, (1, 3), bias=False), LIF(0.2, 1.0), None, 1)])
    with pytest.raises(InputError, match=r"layer1.*\(1, 3\)"):
        to_nir(network.inference_layers(), (1, 6, 6), 1e-3)


def test_a_filtered_layers_bias_stays_out_of_the_filter() -> None:
    network = dense_network(0, None)
    graph = to_nir(network.inference_layers(), network.input_shape, network.dt)
    first = network.inference_layers()[0]
    assert isinstance(graph.nodes["layer1_synapse"], nir.Linear)
    assert isinstance(graph.nodes["layer1"], nir.CubaLIF)
    np.testing.assert_allclose(graph.nodes["layer1"].v_leak * first.voltage_decay, first.bias, rtol=1e-6)
    assert isinstance(graph.nodes["layer2"], nir.LIF)
    assert graph.metadata == {"dt": network.dt}


def test_a_neuron_without_leak_or_filter_is_nir_s_if(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = SpikingNetwork((6,), [block(nn.Linear(6, 5, bias=False), LIF(0.0, 1.0), 8, 1)]).eval()
    program = compiled(network, 8, tmp_path / "m.nir")
    assert isinstance(read_nir(tmp_path / "m.nir").nodes["layer1"], nir.IF)
    assert_same_numbers(network, program)


def test_a_filtered_neuron_without_leak_is_refused_by_name() -> None:
    network = SpikingNetwork((2,), [block(nn.Linear(2, 3, bias=False), CubaLIF(0.5, 0.0, 1.0), None, 1)])
    with pytest.raises(InputError, match=r"layer1.*dv"):
        to_nir(network.inference_layers(), (2,), 1e-3)
