"""Split a layer of vectors into ranges of neurons, each as long as every limit of a core allows.

A longer range needs no less of anything, so filling each range greedily gives the fewest ranges. If equal ranges also
fit, they are used: a step lasts as long as its slowest core.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.common.limits import MOST_SLICES
from spikeport.exporter.mapping.model import LimitName
from spikeport.exporter.program.chip_program import ChipProgram, Connection, SparseConnection

from .core_resources import Amounts, FanOutCores, LayerDemand
from .encodings import synapse_bits
from .synapse_list_size import add_list_sizes
from .synapses import encoding, index_bits

Bounds = list[tuple[int, int]]


@dataclass
class _Lists:
    """A connection stored as lists, target by target."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    each: int
    seen: NDArray[np.int32] = field(repr=False)

    @classmethod
    def of(cls, connection: Connection, program: ChipProgram) -> _Lists:
        seen = np.zeros(program.source_size(connection.source), np.int32)
        if isinstance(connection, SparseConnection):
            return cls(connection.indptr, connection.indices, synapse_bits(connection), seen)
        stored = connection.weights != 0
        indptr = np.concatenate([[0], np.cumsum(np.count_nonzero(stored, axis=1))]).astype(np.int64)
        return cls(indptr, np.nonzero(stored)[1].astype(np.int32), synapse_bits(connection), seen)


class Ranges:
    """Find how many neurons from a first one on fit a core; `ignored` limits do not count."""

    def __init__(
        self, demand: LayerDemand, program: ChipProgram, capacities: Mapping[LimitName, float], fan_out: FanOutCores
    ) -> None:
        self._demand, self._size = demand, demand.population.size
        self._capacities, self._form = dict(capacities), demand.form
        self._fan_out = np.concatenate([[0], np.cumsum(fan_out.each + _spread(fan_out.position, self._size))])
        self._dense = [
            (program.source_size(c.source), synapse_bits(c)) for c in demand.incoming if encoding(c, program) == "dense"
        ]
        self._lists = [_Lists.of(c, program) for c in demand.incoming if encoding(c, program) == "sparse"]
        self._ignored: set[LimitName] = set()

    def cut(self) -> Bounds:
        """First and last neuron of every range."""
        bounds: Bounds = []
        first, window = 0, 64
        while first < self._size:
            count = self._fitting(first, window)
            bounds.append((first, first + count - 1))
            check_slices(self._demand.population.name, len(bounds))
            window = max(64, 1 << (count - 1).bit_length())
            first += count
        return bounds

    def all_fit(self, bounds: Bounds) -> bool:
        """Whether every range keeps every limit."""
        return all(self._fits(first, last - first + 1) for first, last in bounds)

    def _fits(self, first: int, count: int) -> bool:
        plain = all(amount <= self._limit(name) for name, amount in self._plain(count).items())
        return plain and all(
            amounts[-1] <= self._limit(name) for name, amounts in self._cumulative_needs(first, count).items()
        )

    def _fitting(self, first: int, window: int) -> int:
        while True:
            most = min(self._closed_form(), self._size - first)
            if most == 0:
                broken = [name for name, amount in self._plain(1).items() if amount > self._limit(name)]
                self._ignored.update(broken)
                continue
            count, alone = self._counted(first, most, window)
            if count:
                return count
            self._ignored.update(alone)

    def _limit(self, name: LimitName) -> float:
        return np.inf if name in self._ignored else self._capacities.get(name, np.inf)

    def _plain(self, count: int) -> Amounts:
        """The needs that follow from the number of neurons alone."""
        return {
            "compartments": count * self._demand.compartments,
            "delay slots": count * self._demand.compartments * self._demand.slots,
            "synapse memory": sum(self._form.equal(sources, count, each) for sources, each in self._dense),
            "input axons": sum(sources for sources, _ in self._dense),
            "synapse configs": self._demand.formats,
        }

    def _closed_form(self) -> int:
        """The most neurons that keep the limits that follow from their number."""
        low, high = 0, self._size
        while low < high:
            middle = (low + high + 1) // 2
            fits = all(amount <= self._limit(name) for name, amount in self._plain(middle).items())
            low, high = (middle, high) if fits else (low, middle - 1)
        return low

    def _counted(self, first: int, most: int, window: int) -> tuple[int, list[LimitName]]:
        """Neurons that fit, of at most `most`, and the limits that a single one breaks."""
        while True:
            tried = min(window, most)
            needs = self._cumulative_needs(first, tried)
            over = {name: amounts > self._limit(name) for name, amounts in needs.items()}
            fitting = min(int(np.argmax(o)) if o.any() else tried for o in over.values())
            if fitting == tried and tried < most:
                window *= 2
            elif index_bits(fitting) == index_bits(tried) or fitting == tried:
                # slightly shorter ranges would have shorter indices; the count is exact only within one index width
                return fitting, [name for name, o in over.items() if o[0]]
            else:
                window = most = 1 << (index_bits(tried) - 1)

    def _cumulative_needs(self, first: int, count: int) -> dict[LimitName, NDArray[Any]]:
        """The needs of 1 .. count neurons, limit by limit."""
        lengths = np.arange(1, count + 1)
        bits, axons = np.zeros(count, np.int64), np.zeros(count, np.int64)
        for lists in self._lists:
            each = lists.each + index_bits(count)
            form = self._form
            layout = form.word, form.header, form.longest
            add_list_sizes(lists.indptr, lists.indices, first, count, each, *layout, lists.seen, bits, axons)
        if self._lists and self._dense:
            plain = [self._plain(int(n))["synapse memory"] for n in lengths]
            bits = bits + np.array(plain, np.int64)
        needs: dict[LimitName, NDArray[Any]] = {
            "output axons": self._fan_out[first + 1 : first + count + 1] - self._fan_out[first],
            "synapse memory": bits,
            "input axons": axons + sum(sources for sources, _ in self._dense),
        }
        for name, numbers in self._demand.configs.items():
            part = numbers[first : first + count]
            _, first_indices = np.unique(part, return_index=True)
            new = np.zeros(count, np.int64)
            new[first_indices] = 1
            needs[name] = np.cumsum(new)
        return needs


def check_slices(layer: str, count: int) -> None:
    """Raise InputError if a layer is split into more slices than can be placed."""
    if count > MOST_SLICES:
        raise InputError(
            f"layer {layer!r} needs more than {MOST_SLICES:,} cores of this chip; choose a chip with larger cores, or "
            "make the layer smaller"
        )


def equalised(bounds: Bounds) -> Bounds:
    """The same number of ranges, with sizes that differ by at most one, the larger ones first."""
    count, size = len(bounds), bounds[-1][1] + 1
    length, larger = divmod(size, count)
    starts = [n * length + min(n, larger) for n in range(count + 1)]
    return [(a, b - 1) for a, b in pairwise(starts)]


def _spread(position: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """The value of a position for every neuron at it."""
    return np.tile(position, size // len(position)) if len(position) else np.zeros(size, np.int64)
