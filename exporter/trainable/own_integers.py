"""A recipe's network in a chip's own integers: a module of that chip's family, and its weights back in the network.

The network (trainer/network) is written as NIR and lowered, as for compiling; every layer is measured in the units in
which its threshold is the trainer's, so that learning rates mean the same as in floating point. Training changes the
family's module. `put_back` takes its weights, biases and registers into the network, which then compiles to the
integers of training.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spikeport.common.errors import InputError
from spikeport.exporter.chip_integers import trainer_of
from spikeport.exporter.compile import lower_graph
from spikeport.exporter.compile_options import CompileOptions
from spikeport.exporter.float_network.float_network import FloatNetwork, FloatPopulation
from spikeport.exporter.from_torch import network_to_nir
from spikeport.hardware_profiles.schema import ChipProfile
from spikeport.trainer.methods.in_integers import LayersModule
from spikeport.trainer.network.network_config import NetworkConfig
from spikeport.trainer.network.spiking_network import SpikingBlock, SpikingNetwork

from .family_module import events_of_layers, network_by

_WITHOUT = "train in floating point (chip_aware = 0)"


class OwnIntegers(LayersModule):
    """A recipe's network in a chip's own integers; parameters: those of the family's module.

    layers: those whose events `run` gives, all where the family's module has a `run`, else the last one.
    """

    def __init__(self, own: nn.Module, lowered: FloatNetwork, chip: ChipProfile) -> None:
        super().__init__()
        self.own = own
        self._network, self._chip = lowered, chip

    def run(self, x: Tensor) -> dict[str, Tensor]:
        """Events of the layers by name, (T, B, *shape), for those of the input, in the order of the network."""
        return events_of_layers(self.own, x, self._network)

    def forward(self, x: Tensor) -> Tensor:
        """The events of the output."""
        return self.run(x)[self._network.outputs[0]]

    def trained(self) -> FloatNetwork:
        """The lowered network with the weights as trained; raises InputError where the family cannot tell."""
        return network_by(self.own, "trained", self._chip.name, _WITHOUT)


def in_integers(
    network: SpikingNetwork, config: NetworkConfig, chip: ChipProfile, options: CompileOptions
) -> OwnIntegers:
    """The network, in eval mode, as a module in the chip's integers; raises InputError for what does not fit there.

    options: with a sample of the input, on which the integers are chosen.
    """
    make, lowered = trainer_of(chip), lower_graph(network_to_nir(network), options, "network")
    _check(lowered)
    lowered = in_network_units(lowered, network)
    width = config.surrogate_width / config.vth
    return OwnIntegers(make(lowered, chip, options, config.surrogate, width), lowered, chip)


def in_network_units(lowered: FloatNetwork, network: SpikingNetwork) -> FloatNetwork:
    """The lowered network with the thresholds, and so the weights, of the network that it was made from."""
    thresholds = {name: float(block.neuron.threshold.max()) for name, block in network.spiking_blocks()}
    units = {p.name: float(p.threshold.max()) / thresholds.get(p.name, 1.0) for p in lowered.populations}
    populations = tuple(_population_in(p, units[p.name]) for p in lowered.populations)
    connections = tuple(replace(c, weights=c.weights / units[c.target]) for c in lowered.connections)
    return replace(lowered, populations=populations, connections=connections)


def _population_in(population: FloatPopulation, unit: float) -> FloatPopulation:
    voltages = ("threshold", "bias", "v_initial", "v_leak")
    changed: dict[str, Any] = {name: getattr(population, name) / unit for name in voltages}
    return replace(population, **changed)


def put_back(module: OwnIntegers, network: SpikingNetwork) -> None:
    """Set the network's weights and biases to those of the module, and its registers; raises InputError."""
    found = module.trained()
    populations = {p.name: p for p in found.populations}
    for name, block in network.spiking_blocks():
        for role, synapse in (("synapse", block.synapse), ("recurrent", block.recurrent)):
            own = [c for c in found.connections if c.target == name and c.synapse == f"{name}_{role}"]
            # the compiler leaves out a synapse of zeros
            if synapse is not None and own:
                _set(synapse.weight, own[0].dense)
        if name in populations:
            _set(cast(Tensor, block.bias), populations[name].bias)
    network.registers = {p.name: dict(p.registers) for p in found.populations if p.registers}


def _check(lowered: FloatNetwork) -> None:
    """Raises InputError for connections whose weights cannot be put back."""
    voltage = next((p.name for p in lowered.populations if p.sends == "voltage"), None)
    if voltage is not None:
        raise InputError(
            f"{voltage!r} sends its voltage, which is trained in Loihi's integers only; choose a task of spikes, such "
            'as "spike_count", or train in floating point (chip_aware = 0)'
        )
    for connection in lowered.connections:
        target = connection.target
        if connection.geometry is not None:
            raise InputError(
                f"{target!r} is a convolution, which is trained in Loihi's integers only; use dense layers, or train "
                "in floating point (chip_aware = 0)"
            )
        if connection.synapse not in (f"{target}_synapse", f"{target}_recurrent"):
            raise InputError(
                f"{target!r} reads through {connection.synapse!r}, but in this chip's integers dense and recurrent "
                "layers are trained; leave out delays, pooling and residual blocks, or set chip_aware = 0"
            )


def _set(values: Tensor, given: NDArray[np.float64]) -> None:
    with torch.no_grad():
        values.copy_(torch.from_numpy(given.reshape(values.shape)).to(values.dtype))


def without_norms(network: SpikingNetwork) -> None:
    """Replace every batch norm by the weights and the bias that it comes to, in place."""
    for _, block in network.spiking_blocks():
        if block.norm is not None:
            _fold(block)


def _fold(block: SpikingBlock) -> None:
    layer = block.folded()
    with torch.no_grad():
        block.synapse.weight.copy_(layer.weight)
        if block.shortcut is not None and layer.shortcut is not None:
            block.shortcut.weight.copy_(layer.shortcut)
    block.norm = block.shortcut_norm = None
    block.bias = nn.Parameter(layer.bias.detach().clone())
