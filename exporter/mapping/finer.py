"""Partitions of one layer into more parts than the fewest that keep every limit of a core."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.mapping.resources.core_resources import FanOutCores, LayerDemand, core_capacities
from spikeport.exporter.mapping.resources.ranges import Bounds, Ranges
from spikeport.exporter.mapping.resources.tiling import boxes, candidates
from spikeport.exporter.program.chip_program import ChipProgram, ConvConnection, Population
from spikeport.hardware_profiles.schema import Limits

from .model import Slice


class FinerPartitions:
    """Slices of a layer by their number; fewest: the slices that `split` found, which none of these undercuts.

    Output axons are not checked: they depend on the partition of the following layers.
    """

    def __init__(self, population: Population, program: ChipProgram, limits: Limits, fewest: list[Slice]) -> None:
        self._population, self._program, self._fewest = population, program, fewest
        self._demand = LayerDemand.of(population, program, limits)
        self._capacities = core_capacities(limits)
        self._capacities.pop("output axons", None)
        self._no_fan_out = FanOutCores(np.zeros(population.size, np.int64))
        images = [
            c for c in self._demand.incoming if isinstance(c, ConvConnection) and c.output_shape == population.shape
        ]
        room = int(limits.compartments_per_core) // self._demand.compartments
        tiled = fewest[0].tile is not None
        self._shapes = list(candidates(population, images, limits, room)) if tiled else []

    def into(self, count: int, loads: NDArray[np.float64]) -> list[Slice] | None:
        """At least `count` slices, as few as possible; None if the layer has no such partition.

        loads: of every neuron, (size,); ranges of a vector get equal shares of them where the limits allow it.
        """
        if count <= len(self._fewest):
            return self._fewest
        if self._shapes:
            return self._tiles(count)
        if count > self._population.size:
            return None
        ranges = Ranges(self._demand, self._program, self._capacities, self._no_fan_out)
        for bounds in (_balanced(count, loads), _balanced(count, np.ones(self._population.size))):
            if ranges.all_fit(bounds):
                return [Slice(self._population.name, a, b, self._fewest[0].encodings) for a, b in bounds]
        return None

    def _tiles(self, count: int) -> list[Slice] | None:
        shape, name = self._population.shape, self._population.name
        for tile in self._shapes:
            if math.prod(-(-n // t) for n, t in zip(shape, tile, strict=True)) < count:
                continue
            slices = [Slice(name, a, b, self._fewest[0].encodings, tile) for a, b in boxes(shape, tile)]
            if all(self._fits(part) for part in slices):
                return slices
        return None

    def _fits(self, part: Slice) -> bool:
        needed = self._demand.needs(part, self._program, self._no_fan_out)
        return all(needed[name] <= most for name, most in self._capacities.items())


def _balanced(count: int, loads: NDArray[np.float64]) -> Bounds:
    """First and last neuron of `count` ranges, none empty, whose loads differ by as little as one neuron's."""
    rising = np.cumsum(loads + 1e-12 * max(float(loads.max(initial=0)), 1.0))
    shares = rising[-1] * np.arange(1, count) / count
    edges = np.searchsorted(rising, shares - 1e-9 * rising[-1], side="left") + 1
    # every range has a neuron
    first = np.arange(1, count)
    edges = np.maximum.accumulate(np.maximum(edges - first, 0)) + first
    edges = np.minimum(edges, len(loads) - count + first)
    return [(int(a), int(b) - 1) for a, b in pairwise([0, *edges.tolist(), len(loads)])]
