"""How many cores a program takes: each population split evenly over as few cores as the chip's limits allow.

The limits of one core are compartments, synaptic memory, input axons and output axons. Input axons: one a source
element that reaches the core. Output axons: one a neuron and core it sends to. A dense matrix takes weight_bits a
synapse; a convolution keeps its kernel once a core. Synapses kept as a list (sparse connections, kernels that are parts
of one synapse) are stored and accessed where they are not 0 only, and take an index each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from hardware_profiles.schema import ChipProfile

from ..program import ChipProgram, Connection, ConvConnection, Population, SparseConnection
from .model import Core, Slice
from .placement import placed
from .synapses import encoding, index_bits, is_list

LimitName = Literal["compartments", "synapse memory", "input axons", "output axons"]


@dataclass(frozen=True)
class LayerMapping:
    """One population on its cores; fill: the share of each limit that the fullest core uses."""

    name: str
    cores: int
    neurons_per_core: int
    fill: dict[LimitName, float]
    fits: bool

    @property
    def limit(self) -> LimitName:
        """The limit that is nearest or first broken."""
        return max(self.fill, key=lambda name: self.fill[name])


@dataclass(frozen=True)
class Mapping:
    """All populations, cores on all chips, and whether everything fits on one chip.

    placed: every core in use with what it holds, in the order in which cores are numbered.
    """

    layers: tuple[LayerMapping, ...]
    cores_per_chip: int
    placed: tuple[Core, ...]

    @property
    def cores(self) -> int:
        """Cores in all."""
        return sum(layer.cores for layer in self.layers)

    @property
    def chips(self) -> int:
        """Chips it would take."""
        return math.ceil(self.cores / self.cores_per_chip)

    @property
    def fits(self) -> bool:
        """Whether every layer keeps every limit and one chip is enough."""
        return self.chips <= 1 and all(layer.fits for layer in self.layers)

    def layer(self, name: str) -> LayerMapping:
        """The mapping of one population; raises KeyError."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def reasons(self) -> list[str]:
        """What does not fit, a sentence each, with the nearest way out."""
        found = [
            f"layer {layer.name!r} breaks the limit of {layer.limit} on a core even with one neuron a core "
            f"({layer.fill[layer.limit]:.1f} x); make its fan-in or fan-out smaller"
            for layer in self.layers
            if not layer.fits
        ]
        if self.chips > 1:
            found.append(
                f"the network takes {self.cores} cores, a chip has {self.cores_per_chip}; "
                "make the widest layer smaller or use fewer weight bits"
            )
        return found


def map_program(program: ChipProgram, chip: ChipProfile) -> Mapping:
    """Split every population over the fewest cores at which no limit of a core is broken."""
    cores: dict[str, int] = {}
    # output axons depend on how many cores the targets take: settle the populations from the outputs backwards, twice
    for _ in range(2):
        for population in reversed(program.populations):
            cores[population.name] = _fewest(population, program, chip, cores)
    parts = [part for p in program.populations for part in _slices(p, cores[p.name], program)]
    return Mapping(
        tuple(_layer(p, program, chip, cores[p.name], cores) for p in program.populations),
        int(chip.limits.cores_per_chip.value),
        placed([(part,) for part in parts], chip.limits),
    )


def _slices(population: Population, count: int, program: ChipProgram) -> list[Slice]:
    """A population in `count` parts whose sizes differ by one at most, the larger ones first."""
    encodings = tuple(encoding(c, program) for c in program.into(population.name))
    size, larger = divmod(population.size, count)
    begins = [n * size + min(n, larger) for n in range(count + 1)]
    return [Slice(population.name, a, b - 1, encodings) for a, b in pairwise(begins)]


def _fewest(population: Population, program: ChipProgram, chip: ChipProfile, cores: dict[str, int]) -> int:
    low, high = 1, population.size
    while low < high:
        middle = (low + high) // 2
        fill = _fill(population, program, chip, middle, cores)
        low, high = (low, middle) if max(fill.values()) <= 1 else (middle + 1, high)
    return low


def _layer(
    population: Population, program: ChipProgram, chip: ChipProfile, count: int, cores: dict[str, int]
) -> LayerMapping:
    fill = _fill(population, program, chip, count, cores)
    return LayerMapping(population.name, count, math.ceil(population.size / count), fill, max(fill.values()) <= 1)


def _fill(
    population: Population, program: ChipProgram, chip: ChipProfile, count: int, cores: dict[str, int]
) -> dict[LimitName, float]:
    neurons = math.ceil(population.size / count)
    limits = chip.limits
    memory = sum(_memory_bits(c, neurons, program) for c in program.into(population.name))
    fill: dict[LimitName, float] = {
        "compartments": neurons / limits.compartments_per_core.value,
        "synapse memory": memory / limits.synapse_memory_bits_per_core.value,
    }
    if limits.input_axons_per_core is not None:
        reached = sum(_axons_in(c, neurons, population, program) for c in program.into(population.name))
        fill["input axons"] = reached / limits.input_axons_per_core.value
    if limits.output_axons_per_core is not None:
        sent = neurons * sum(cores.get(c.target, 1) for c in program.out_of(population.name))
        fill["output axons"] = sent / limits.output_axons_per_core.value
    return fill


def _memory_bits(connection: Connection, neurons: int, program: ChipProgram) -> float:
    if isinstance(connection, ConvConnection):
        if is_list(connection, program):
            return _list_bits(connection)
        return int(connection.weights.size) * connection.weight_bits
    if is_list(connection, program):
        share = neurons / program.population(connection.target).size
        return np.count_nonzero(connection.weights) * share * (connection.weight_bits + index_bits(neurons))
    return program.source_size(connection.source) * neurons * connection.weight_bits


def _list_bits(connection: ConvConnection) -> int:
    """A kernel's elements that are not 0, each with an index into those of its input channel."""
    elements = connection.weights[:, 0].size
    return int(np.count_nonzero(connection.weights)) * (connection.weight_bits + index_bits(elements))


def _axons_in(connection: Connection, neurons: int, population: Population, program: ChipProgram) -> int:
    size = program.source_size(connection.source)
    if isinstance(connection, SparseConnection):
        return len(np.unique(connection.indices))
    if not isinstance(connection, ConvConnection):
        return size
    # a core holds whole rows of the image as far as they go; each needs the input rows under its kernel
    _, height, width = connection.output_shape
    rows = min(height, math.ceil(neurons / (width * max(1, math.ceil(population.size / (height * width))))))
    kernel = (connection.weights.shape[2] - 1) * connection.dilation[0] + 1
    input_rows = min(connection.input_shape[1], (rows - 1) * connection.stride[0] + kernel)
    return connection.input_shape[0] * input_rows * connection.input_shape[2]
