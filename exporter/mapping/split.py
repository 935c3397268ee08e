"""Layers split over cores: the fewest cores at which no limit of a core is broken.

What leaves a core depends on how many cores the layers behind it take. So all layers are split by everything else
first; then those whose output axons are too many are split again, given the others, until none is: slices only become
smaller, so this ends. A limit that one neuron alone breaks is left out of account, and the layer does not fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.mapping.resources.core_resources import Amounts, LayerDemand, Sends, capacities, sends
from spikeport.exporter.mapping.resources.ranges import Ranges, evened
from spikeport.exporter.mapping.resources.synapses import encoding
from spikeport.exporter.mapping.resources.tiling import boxes, candidates
from spikeport.exporter.program.chip_program import ChipProgram, ConvConnection, Population
from spikeport.hardware_profiles.schema import Limits

from .model import Encoding, LimitName, Slice, Tile

_ROUNDS = 32
Parts = dict[str, list[Slice]]


def split(program: ChipProgram, limits: Limits) -> Parts:
    """Slices of every population, in the order in which it is laid out."""
    has = capacities(limits)
    demands = {p.name: LayerDemand.of(p, program, limits) for p in program.populations}
    parts = {p.name: _cut(demands[p.name], program, limits, has, _nothing(p)) for p in program.populations}
    if "output axons" not in has:
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
    """Split a layer again if its output axons are too many; whether it has changed."""
    name, has = population.name, capacities(limits)
    sent = sends(program, name, on_cores)
    held = zip(parts[name], on_cores[name], strict=True)
    if all(sent.axons(part, neurons) <= has["output axons"] for part, neurons in held):
        return False
    again = _cut(demands[name], program, limits, has, sent)
    if len(again) <= len(parts[name]):
        return False
    parts[name] = again
    on_cores[name] = neurons_of(again, population)
    return True


def _nothing(population: Population) -> Sends:
    return Sends(np.zeros(population.size, np.int64))


def _cut(demand: LayerDemand, program: ChipProgram, limits: Limits, has: Amounts, sent: Sends) -> list[Slice]:
    population = demand.population
    encodings = tuple(encoding(c, program) for c in demand.incoming)
    images = [c for c in demand.incoming if isinstance(c, ConvConnection) and c.output_shape == population.shape]
    sending = [c for c in program.out_of(population.name) if isinstance(c, ConvConnection)]
    if images or any(c.input_shape == population.shape for c in sending):
        return _tiled(demand, images, program, limits, has, sent, encodings)
    ranges = Ranges(demand, program, has, sent)
    bounds = ranges.cut()
    if ranges.all_fit(evened(bounds)):
        bounds = evened(bounds)
    return [Slice(population.name, first, last, encodings) for first, last in bounds]


def _tiled(
    demand: LayerDemand,
    images: list[ConvConnection],
    program: ChipProgram,
    limits: Limits,
    has: Amounts,
    sent: Sends,
    encodings: tuple[Encoding, ...],
) -> list[Slice]:
    population = demand.population
    ignored: set[LimitName] = set()

    def slices(tile: Tile) -> list[Slice]:
        return [Slice(population.name, a, b, encodings, tile) for a, b in boxes(population.shape, tile)]

    def broken(part: Slice) -> list[LimitName]:
        needed = demand.needs(part, program, sent)
        return [name for name, most in has.items() if name not in ignored and needed[name] > most]

    room = int(limits.compartments_per_core) // demand.compartments
    shapes = list(candidates(population, images, limits, room))
    while True:
        for tile in shapes:
            if not any(broken(part) for part in slices(tile)):
                return slices(tile)
        alone = {name for part in slices(shapes[-1]) for name in broken(part)}
        ignored |= alone
