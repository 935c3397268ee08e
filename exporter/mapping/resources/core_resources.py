"""Resources of a core: what a slice of a layer needs, limit by limit, and what a core has.

    compartments          one per neuron, more if the chip's reset by subtraction takes several
    delay slots           2**b per compartment; b: bits of the longest delay into the layer beyond one step
    synapse memory        bits, see encodings.py
    input axons           axons from which the slice receives, see axon_fan_in.py
    output axons          one per axon of the slice and core it sends to
    compartment configs   distinct sets of constants other than thresholds, biases and start voltages
    threshold configs     distinct thresholds
    synapse configs       distinct formats of the connections into the layer: width, exponent, sign mode, delays, list
    layers                one

A limit that the chip's profile leaves out does not apply. The needs of a core's slices add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.mapping.model import LimitName, Slice
from spikeport.exporter.program.chip_program import ChipProgram, Connection, ConvConnection, Population
from spikeport.hardware_profiles.schema import Limits

from .axon_fan_in import axons_in, cores_reached
from .encodings import ListFormat, delay_bits, memory_bits
from .synapses import encoding

Amounts = dict[LimitName, float]

_FIELDS: dict[LimitName, str] = {
    "compartments": "compartments_per_core",
    "delay slots": "delay_slots_per_core",
    "synapse memory": "synapse_memory_bits_per_core",
    "input axons": "input_axons_per_core",
    "output axons": "output_axons_per_core",
    "compartment configs": "compartment_configs_per_core",
    "threshold configs": "threshold_configs_per_core",
    "synapse configs": "synapse_configs_per_core",
}
# registers that a compartment has of its own (nengo-loihi, builder/inputs.py and hardware/builder.py)
_OWN = frozenset({"bias_mant", "bias_exp", "v_initial"})


def core_capacities(limits: Limits) -> Amounts:
    """What a core has of every resource that the chip's profile limits."""
    amounts: Amounts = {}
    for name, key in _FIELDS.items():
        quantity = getattr(limits, key)
        if quantity is not None:
            amounts[name] = quantity.value
    amounts["layers"] = float(int(limits.layers_per_core or 1))
    return amounts


def utilisation(needed: Mapping[LimitName, float], capacities: Mapping[LimitName, float]) -> Amounts:
    """The used fraction of each limit."""
    return {name: needed[name] / capacities[name] for name in capacities}


def total(parts: Iterable[Mapping[LimitName, float]]) -> Amounts:
    """The needs of several slices on one core."""
    amounts: Amounts = {}
    for part in parts:
        for name, amount in part.items():
            amounts[name] = amounts.get(name, 0.0) + amount
    return amounts


@dataclass(frozen=True)
class FanOutCores:
    """Cores to which axons send: `each` per neuron, (size,); `position` per image position, (height * width,).

    A position sends for all channels at once if the slice is a tile of the image; other slices send neuron by neuron.
    """

    each: NDArray[np.int64]
    position: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def axons(self, part: Slice, neurons: NDArray[np.int64]) -> int:
        """Output axons of a slice."""
        total = int(self.each[neurons].sum())
        if not len(self.position):
            return total
        positions = neurons % len(self.position)
        return total + int(self.position[positions if part.tile is None else np.unique(positions)].sum())


def fan_out_cores(program: ChipProgram, layer: str, on_cores: Mapping[str, list[NDArray[np.int64]]]) -> FanOutCores:
    """The number of cores to which a layer's axons send, given the neurons of every layer core by core."""
    shape = program.source_shape(layer)
    each = np.zeros(program.source_size(layer), np.int64)
    position = np.zeros(0, np.int64)
    for connection in program.out_of(layer):
        reached = cores_reached(connection, program, on_cores[connection.target])
        if isinstance(connection, ConvConnection) and connection.input_shape == tuple(shape):
            first = reached[: int(np.prod(shape[1:]))]
            position = first if not len(position) else position + first
        else:
            each += reached
    return FanOutCores(each, position)


@dataclass(frozen=True)
class LayerDemand:
    """The properties of one layer from which its slices' needs are computed.

    compartments: per neuron; slots: per compartment; configs: the index of each neuron's among distinct ones.
    """

    population: Population
    incoming: tuple[Connection, ...]
    form: ListFormat
    compartments: int
    slots: int
    formats: int
    configs: Mapping[LimitName, NDArray[np.int64]]

    @classmethod
    def of(cls, population: Population, program: ChipProgram, limits: Limits) -> LayerDemand:
        """The layer of a program on a chip."""
        incoming = program.into(population.name)
        beyond = max((c.longest_delay - 1 for c in incoming), default=0)
        formats = {
            (c.weight_bits, c.weight_exp, c.sign_mode, c.longest_delay > 1, encoding(c, program)) for c in incoming
        }
        return cls(
            population, incoming, ListFormat.of(limits), _compartments(population, limits), 1 << delay_bits(beyond),
            len(formats), _configs(population, limits),
        )  # fmt: skip

    def needs(self, part: Slice, program: ChipProgram, sent: FanOutCores) -> Amounts:
        """The needs of one slice."""
        neurons = part.neurons(self.population.shape)
        amounts: Amounts = {
            "compartments": len(neurons) * self.compartments,
            "delay slots": len(neurons) * self.compartments * self.slots,
            "synapse memory": sum(memory_bits(c, program, neurons, self.form) for c in self.incoming),
            "input axons": sum(axons_in(c, program, neurons) for c in self.incoming),
            "output axons": sent.axons(part, neurons),
            "synapse configs": self.formats,
            "layers": 1,
        }
        for name in ("compartment configs", "threshold configs"):
            amounts[name] = len(np.unique(self.configs[name][neurons])) if name in self.configs else 1
        return amounts


def _compartments(population: Population, limits: Limits) -> int:
    """Compartments of a neuron."""
    soft = "v_subtract" in population.constants()
    return int(limits.compartments_per_soft_reset or 1) if soft else 1


def _configs(population: Population, limits: Limits) -> dict[LimitName, NDArray[np.int64]]:
    """The index of every neuron's set of constants among distinct ones, if the chip limits them."""
    names = [name for name in population.constants() if name not in _OWN]
    thresholds = [name for name in names if name.startswith("vth")]
    others = [name for name in names if name not in thresholds]
    configs: dict[LimitName, NDArray[np.int64]] = {}
    if limits.compartment_configs_per_core is not None:
        configs["compartment configs"] = _numbered(population, others)
    if limits.threshold_configs_per_core is not None:
        configs["threshold configs"] = _numbered(population, thresholds)
    return configs


def _numbered(population: Population, names: list[str]) -> NDArray[np.int64]:
    if not names:
        return np.zeros(population.size, np.int64)
    rows = np.stack([getattr(population, name) for name in names])
    _, inverse = np.unique(rows, axis=1, return_inverse=True)
    numbers: NDArray[np.int64] = inverse.reshape(-1).astype(np.int64)
    return numbers
