"""What tests of chip-exact training share: the trainer's spikes beside those of the compiled export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from spikeport.exporter.compile import compile_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.from_torch import network_to_nir
from spikeport.exporter.nir_graph.nir_file import read_nir, write_nir
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.hardware_profiles import load_chip
from spikeport.lava_runtime.result import SimulationResult
from spikeport.lava_runtime.simulate import simulate
from spikeport.trainer.network.spiking_network import SpikingNetwork

Array = NDArray[np.float64]


def compiled(network: SpikingNetwork, folder: Path, bits: int = 8) -> ChipProgram:
    """The network by way of its NIR file."""
    write_nir(network_to_nir(network), folder / "model.nir")
    return compile_graph(read_nir(folder / "model.nir"), load_chip("loihi2"), CompileOptions(weight_bits=bits))


def trained_spikes(network: SpikingNetwork, x: NDArray[np.uint8]) -> dict[str, Array]:
    """What every layer of the network in eval mode sends, (T, B, *shape)."""
    with torch.no_grad():
        return {name: spikes.numpy() for name, spikes in network.eval().run(torch.from_numpy(x)).items()}


def chip_spikes(program: ChipProgram, x: NDArray[np.uint8]) -> tuple[dict[str, Array], SimulationResult]:
    """What every population sends in the steps that answer those of x, and the whole result."""
    result = simulate(program, x, "emulator", len(x) + max(program.latency.values()), "all")
    sent = {}
    for population in program.populations:
        start = program.latency[population.name]
        sent[population.name] = result.states[f"s/{population.name}"][start : start + len(x)]
    return sent, result


def assert_equal_spikes(network: SpikingNetwork, x: NDArray[np.uint8], folder: Path, bits: int = 8) -> int:
    """Every layer's spike at every step is the chip's; returns how many there are."""
    program = compiled(network, folder, bits)
    wanted, (found, _) = trained_spikes(network, x), chip_spikes(program, x)
    for name, spikes in wanted.items():
        np.testing.assert_array_equal(found[name].reshape(spikes.shape), spikes, err_msg=name)
    return int(sum(spikes.sum() for spikes in wanted.values()))
