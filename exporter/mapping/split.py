"""Split layers over the fewest cores that keep every limit.

A core's output axons depend on the number of cores of the next layers. So all layers are first split by all other
limits; then those with too many output axons are split again, given the others, until none has: slices only become
smaller, so this ends. A limit that a single neuron exceeds is ignored, and the layer does not fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.mapping.resources.core_resources import (
    Amounts,
    FanOutCores,
    LayerDemand,
    core_capacities,
    fan_out_cores,
)
from spikeport.exporter.mapping.resources.ranges import Ranges, check_slices, equalised
from spikeport.exporter.mapping.resources.synapses import encoding
from spikeport.exporter.mapping.resources.tiling import boxes, candidates
from spikeport.exporter.program.chip_program import ChipProgram, ConvConnection, Population
from spikeport.hardware_profiles.schema import Limits

from .model import Encoding, LimitName, Slice, Tile

_ROUNDS = 32
Parts = dict[str, list[Slice]]


def split(program: ChipProgram, limits: Limits) -> Parts:
    """Slices of every population, in layout order."""
    capacities = core_capacities(limits)
    demands = {p.name: LayerDemand.of(p, program, limits) for p in program.populations}
    parts = {p.name: _cut(demands[p.name], program, limits, capacities, _no_fan_out(p)) for p in program.populations}
    if "output axons" not in capacities:
        return parts
    on_cores = {p.name: neurons_of(parts[p.name], p) for p in program.populations}
    for _ in range(_ROUNDS):
        if not [p for p in reversed(program.populations) if _narrowed(p, program, limits, demands, parts, on_cores)]:
            break
    return parts


def neurons_of(parts: Sequence[Slice], population: Population) -> list[NDArray[np.int64]]:
    """The neurons of every slice."""
    return [part.neurons(population.shape) for part in parts]


def _narrowed(
    population: Population,
    program: ChipProgram,
    limits: Limits,
    demands: Mapping[str, LayerDemand],
    parts: Parts,
    on_cores: dict[str, list[NDArray[np.int64]]],
) -> bool:
    """Split a layer again if it has too many output axons; returns whether it changed."""
    name, capacities = population.name, core_capacities(limits)
    fan_out = fan_out_cores(program, name, on_cores)
    slices = zip(parts[name], on_cores[name], strict=True)
    if all(fan_out.axons(part, neurons) <= capacities["output axons"] for part, neurons in slices):
        return False
    again = _cut(demands[name], program, limits, capacities, fan_out)
    if len(again) <= len(parts[name]):
        return False
    parts[name] = again
    on_cores[name] = neurons_of(again, population)
    return True


def _no_fan_out(population: Population) -> FanOutCores:
    return FanOutCores(np.zeros(population.size, np.int64))


def _cut(
    demand: LayerDemand, program: ChipProgram, limits: Limits, capacities: Amounts, fan_out: FanOutCores
) -> list[Slice]:
    population = demand.population
    encodings = tuple(encoding(c, program) for c in demand.incoming)
    images = [c for c in demand.incoming if isinstance(c, ConvConnection) and c.output_shape == population.shape]
    sending = [c for c in program.out_of(population.name) if isinstance(c, ConvConnection)]
    if images or any(c.input_shape == population.shape for c in sending):
        return _tiled(demand, images, program, limits, capacities, fan_out, encodings)
    ranges = Ranges(demand, program, capacities, fan_out)
    bounds = ranges.cut()
    if ranges.all_fit(equalised(bounds)):
        bounds = equalised(bounds)
    return [Slice(population.name, first, last, encodings) for first, last in bounds]


def _tiled(
    demand: LayerDemand,
    images: list[ConvConnection],
    program: ChipProgram,
    limits: Limits,
    capacities: Amounts,
    fan_out: FanOutCores,
    encodings: tuple[Encoding, ...],
) -> list[Slice]:
    population = demand.population
    ignored: set[LimitName] = set()

    def slices(tile: Tile) -> list[Slice]:
        check_slices(population.name, math.prod(-(-n // t) for n, t in zip(population.shape, tile, strict=True)))
        return [Slice(population.name, a, b, encodings, tile) for a, b in boxes(population.shape, tile)]

    def broken(part: Slice) -> list[LimitName]:
        needed = demand.needs(part, program, fan_out)
        return [name for name, most in capacities.items() if name not in ignored and needed[name] > most]

    room = int(limits.compartments_per_core) // demand.compartments
    shapes = list(candidates(population, images, limits, room))
    while True:
        for tile in shapes:
            if not any(broken(part) for part in slices(tile)):
                return slices(tile)
        alone = {name for part in slices(shapes[-1]) for name in broken(part)}
        ignored |= alone
