"""How many cores a program takes: each population split evenly over as few cores as the chip's limits allow.

The limits of one core are compartments, synaptic memory, input axons and output axons. Input axons: one a source
element that reaches the core. Output axons: one a neuron and core it sends to. A dense matrix takes weight_bits a
synapse; a convolution keeps its kernel once a core. Synapses kept as a list (sparse connections, kernels that are parts
of one synapse) are stored and accessed where they are not 0 only, and take an index each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hardware_profiles.schema import ChipProfile

from .program import ChipProgram, Connection, ConvConnection, Population, SparseConnection

# nengo-loihi, block.py, SynapseConfig.INDEX_BITS_MAP: the shortest and longest index of a synapse in its core
_INDEX_BITS = (6, 12)

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


def index_bits(targets: int) -> int:
    """Bits that a synapse kept in a list takes beside its weight, to name one of so many targets."""
    low, high = _INDEX_BITS
    return min(high, max(low, math.ceil(math.log2(max(targets, 1)))))


def is_list(connection: Connection, program: ChipProgram) -> bool:
    """Whether synapses of 0 are left out: in sparse connections, and in the parts that hold one synapse."""
    if isinstance(connection, SparseConnection):
        return True
    if not connection.synapse:
        return False
    return sum(_family(c) == _family(connection) for c in program.connections) > 1


def synapse_count(connection: Connection, program: ChipProgram) -> int:
    """Synapses of a connection: those stored and accessed, zeros of a dense matrix or kernel included."""
    return int(fan_outs(connection, program).sum())


def fan_outs(connection: Connection, program: ChipProgram) -> NDArray[np.int64]:
    """Synapses that each source element drives, (source size,)."""
    size = program.source_size(connection.source)
    if isinstance(connection, ConvConnection):
        return fan_out(connection, not is_list(connection, program))
    if isinstance(connection, SparseConnection):
        return np.bincount(connection.indices, minlength=size).astype(np.int64)
    if is_list(connection, program):
        stored: NDArray[np.int64] = np.count_nonzero(connection.weights, axis=0).astype(np.int64)
        return stored
    return np.full(size, program.population(connection.target).size, np.int64)


def fan_out(connection: ConvConnection, zeros: bool = True) -> NDArray[np.int64]:
    """Synapses that each input element of a convolution drives, (channels * height * width,); zeros: those of 0 too."""
    hits = [_hits(connection, axis) for axis in (0, 1)]
    out, inside, height, width = connection.weights.shape
    grouped = connection.weights.reshape(connection.groups, out // connection.groups, inside, height, width)
    stored = np.ones_like(grouped, np.int64) if zeros else (grouped != 0).astype(np.int64)
    kernels = stored.sum(axis=1).reshape(connection.groups * inside, height, width)
    found: NDArray[np.int64] = np.einsum("ckl,yk,xl->cyx", kernels, *hits).reshape(-1)
    return found


def _hits(connection: ConvConnection, axis: int) -> NDArray[np.int64]:
    """Whether an element of the kernel meets a place of the input, (input length, kernel length), along one axis."""
    length, out = connection.input_shape[1 + axis], connection.output_shape[1 + axis]
    size = connection.weights.shape[2 + axis]
    hits = np.zeros((length, size), np.int64)
    for o in range(out):
        for k in range(size):
            place = o * connection.stride[axis] - connection.padding[axis] + k * connection.dilation[axis]
            if 0 <= place < length:
                hits[place, k] += 1
    return hits


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


def _family(connection: Connection) -> tuple[str, str, str]:
    return connection.source, connection.target, connection.synapse


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
