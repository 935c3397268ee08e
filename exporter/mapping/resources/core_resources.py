"""What a slice of a layer needs of a core, limit by limit, and what a core has.

    compartments          one a neuron, more where the chip resets by subtraction with several
    delay slots           2**b a compartment, b the bits that hold the longest delay into the layer beyond the one step
    synapse memory        bits, see encodings.py
    input axons           axons that the slice hears, see reach.py
    output axons          one an axon of the slice and core it sends to
    compartment configs   distinct sets of constants other than thresholds, biases and start voltages
    threshold configs     distinct thresholds
    synapse configs       distinct formats of the connections into the layer: width, exponent, sign mode, delays, list
    layers                one

A limit that the chip's profile does not give is none. What a core holds in several slices adds up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.mapping.model import LimitName, Slice
from spikeport.exporter.program.chip_program import ChipProgram, Connection, ConvConnection, Population
from spikeport.hardware_profiles.schema import Limits

from .axon_fan_in import axons_in, cores_heard_by
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


def capacities(limits: Limits) -> Amounts:
    """What a core has of everything that the chip's profile limits."""
    found: Amounts = {}
    for name, key in _FIELDS.items():
        quantity = getattr(limits, key)
        if quantity is not None:
            found[name] = quantity.value
    found["layers"] = float(int(limits.layers_per_core or 1))
    return found


def fill(needed: Mapping[LimitName, float], has: Mapping[LimitName, float]) -> Amounts:
    """The share of each limit that is used."""
    return {name: needed[name] / has[name] for name in has}


def together(parts: Iterable[Mapping[LimitName, float]]) -> Amounts:
    """What several slices on one core need."""
    total: Amounts = {}
    for part in parts:
        for name, amount in part.items():
            total[name] = total.get(name, 0.0) + amount
    return total


@dataclass(frozen=True)
class Sends:
    """Cores that a layer's axons send to: `each` a neuron, (size,); `place` a place of an image, (height * width,).

    A place sends for all channels at once where a slice is a tile of the image; other slices send neuron by neuron.
    """

    each: NDArray[np.int64]
    place: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def axons(self, part: Slice, neurons: NDArray[np.int64]) -> int:
        """Output axons of a slice."""
        total = int(self.each[neurons].sum())
        if not len(self.place):
            return total
        places = neurons % len(self.place)
        return total + int(self.place[places if part.tile is None else np.unique(places)].sum())


def sends(program: ChipProgram, layer: str, on_cores: Mapping[str, list[NDArray[np.int64]]]) -> Sends:
    """What a layer's axons send to, given the neurons of every layer core by core."""
    shape = program.source_shape(layer)
    each = np.zeros(program.source_size(layer), np.int64)
    place = np.zeros(0, np.int64)
    for connection in program.out_of(layer):
        reached = cores_heard_by(connection, program, on_cores[connection.target])
        if isinstance(connection, ConvConnection) and connection.input_shape == tuple(shape):
            first = reached[: int(np.prod(shape[1:]))]
            place = first if not len(place) else place + first
        else:
            each += reached
    return Sends(each, place)


@dataclass(frozen=True)
class LayerDemand:
    """Everything about one layer that its slices' needs are computed from.

    compartments: of a neuron; slots: of a compartment; configs: the number of each neuron's among distinct ones.
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

    def needs(self, part: Slice, program: ChipProgram, sent: Sends) -> Amounts:
        """What one slice needs."""
        neurons = part.neurons(self.population.shape)
        found: Amounts = {
            "compartments": len(neurons) * self.compartments,
            "delay slots": len(neurons) * self.compartments * self.slots,
            "synapse memory": sum(memory_bits(c, program, neurons, self.form) for c in self.incoming),
            "input axons": sum(axons_in(c, program, neurons) for c in self.incoming),
            "output axons": sent.axons(part, neurons),
            "synapse configs": self.formats,
            "layers": 1,
        }
        for name in ("compartment configs", "threshold configs"):
            found[name] = len(np.unique(self.configs[name][neurons])) if name in self.configs else 1
        return found


def _compartments(population: Population, limits: Limits) -> int:
    """Compartments of a neuron."""
    soft = "v_subtract" in population.constants()
    return int(limits.compartments_per_soft_reset or 1) if soft else 1


def _configs(population: Population, limits: Limits) -> dict[LimitName, NDArray[np.int64]]:
    """Which distinct set of constants every neuron has, where the chip limits them."""
    names = [name for name in population.constants() if name not in _OWN]
    thresholds = [name for name in names if name.startswith("vth")]
    others = [name for name in names if name not in thresholds]
    found: dict[LimitName, NDArray[np.int64]] = {}
    if limits.compartment_configs_per_core is not None:
        found["compartment configs"] = _numbered(population, others)
    if limits.threshold_configs_per_core is not None:
        found["threshold configs"] = _numbered(population, thresholds)
    return found


def _numbered(population: Population, names: list[str]) -> NDArray[np.int64]:
    if not names:
        return np.zeros(population.size, np.int64)
    rows = np.stack([getattr(population, name) for name in names])
    _, inverse = np.unique(rows, axis=1, return_inverse=True)
    numbers: NDArray[np.int64] = inverse.reshape(-1).astype(np.int64)
    return numbers
