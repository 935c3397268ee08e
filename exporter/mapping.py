"""How many cores a program takes: each population split evenly over as few cores as the chip's limits allow.

The limits of one core are compartments, synaptic memory, input axons and output axons. Input axons: one a source
element that reaches the core. Output axons: one a neuron and core it sends to. A dense matrix takes weight_bits a
synapse; a convolution keeps its kernel once a core.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hardware_profiles.schema import ChipProfile

from .program import ChipProgram, Connection, ConvConnection, Population

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
    """All populations, cores on all chips, and whether everything fits on one chip."""

    layers: tuple[LayerMapping, ...]
    cores_per_chip: int

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
    return Mapping(
        tuple(_layer(p, program, chip, cores[p.name], cores) for p in program.populations),
        int(chip.limits.cores_per_chip.value),
    )


def synapse_count(connection: Connection, program: ChipProgram) -> int:
    """Synapses of a connection, zeros of a dense matrix included: they are stored and accessed like the others."""
    if isinstance(connection, ConvConnection):
        return int(fan_out(connection).sum())
    return program.source_size(connection.source) * program.population(connection.target).size


def fan_out(connection: ConvConnection) -> NDArray[np.int64]:
    """Synapses that each input element of a convolution drives, (channels * height * width,)."""
    per_axis = []
    for axis in (0, 1):
        length, out = connection.input_shape[1 + axis], connection.output_shape[1 + axis]
        hits = np.zeros(length, np.int64)
        for o in range(out):
            for k in range(connection.weights.shape[2 + axis]):
                place = o * connection.stride[axis] - connection.padding[axis] + k * connection.dilation[axis]
                if 0 <= place < length:
                    hits[place] += 1
        per_axis.append(hits)
    per_place = np.outer(per_axis[0], per_axis[1]).reshape(-1) * (connection.output_shape[0] // connection.groups)
    return np.tile(per_place, connection.input_shape[0])


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


def _memory_bits(connection: Connection, neurons: int, program: ChipProgram) -> int:
    if isinstance(connection, ConvConnection):
        return int(connection.weights.size) * connection.weight_bits
    return program.source_size(connection.source) * neurons * connection.weight_bits


def _axons_in(connection: Connection, neurons: int, population: Population, program: ChipProgram) -> int:
    size = program.source_size(connection.source)
    if not isinstance(connection, ConvConnection):
        return size
    # a core holds whole rows of the image as far as they go; each needs the input rows under its kernel
    _, height, width = connection.output_shape
    rows = min(height, math.ceil(neurons / (width * max(1, math.ceil(population.size / (height * width))))))
    kernel = (connection.weights.shape[2] - 1) * connection.dilation[0] + 1
    input_rows = min(connection.input_shape[1], (rows - 1) * connection.stride[0] + kernel)
    return connection.input_shape[0] * input_rows * connection.input_shape[2]
