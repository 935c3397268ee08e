"""Time and energy of a mean step of a partition, from rates: the model of `cost_model`, without simulating.

A core takes as long as the largest of its loads (memory, compute, traffic) and the chip's share of the others.

Cores are numbered in the order of the layers; `place_cores` may shorten the routes afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.mapping import Board, Mapping, Slice, encoding, routes, slices_of
from spikeport.exporter.mapping.resources.axon_fan_in import receives_from
from spikeport.exporter.program.chip_program import ChipProgram, Connection
from spikeport.hardware_profiles.schema import ChipProfile
from spikeport.lava_runtime.cost_model.energy import dynamic_energy, optional, static_power
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.lava_runtime.cost_model.events import Events
from spikeport.lava_runtime.profiling.counts import RECEIVED
from spikeport.lava_runtime.profiling.links import MOST_HOPS
from spikeport.lava_runtime.profiling.pricing import ACTIVE, seconds

from .rates import Rates
from .synaptic_load import synaptic_load

Floats = NDArray[np.float64]
Parts = Table[str, Sequence[Slice]]


@dataclass(frozen=True)
class StepCost:
    """Typical seconds and joules of a mean step; core: seconds of every core in the order of the layers, by layer."""

    seconds: float
    joules: float
    core: Table[str, Floats]
    link: float

    @property
    def slowest(self) -> str:
        """The layer with the slowest core."""
        return max(self.core, key=lambda name: float(self.core[name].max()))


class StepCosts:
    """Costs of partitions of one program on one chip at given rates."""

    def __init__(self, program: ChipProgram, chip: ChipProfile, rates: Rates) -> None:
        self._program, self._chip, self._rates = program, chip, rates
        self._seconds = {name: factor.typical for name, factor in seconds(chip).items()}
        self._board = Board.of(chip.limits)
        self._reached: dict[tuple[int, tuple[Slice, ...]], list[NDArray[np.int64]]] = {}
        self._slots: dict[tuple[Slice, ...], NDArray[np.int64]] = {}

    @cached_property
    def neurons(self) -> dict[str, Floats]:
        """Seconds per step of every neuron: of the load that takes its layer longer, and its share of the other."""
        return {name: self._busy(*sorted(loads, key=np.sum, reverse=True)) for name, loads in self._own_loads.items()}

    @cached_property
    def _own_loads(self) -> dict[str, tuple[Floats, Floats]]:
        """Seconds per step of every neuron on whichever core it is: memory and compute, (size,) each."""
        by_layer = {}
        for population in self._program.populations:
            memory = np.zeros(population.size)
            for number, load in self._loads[population.name]:
                kind = f"synops_{encoding(self._program.connections[number], self._program)}"
                memory += self._seconds[kind] * load
            compute = self._seconds[ACTIVE] + self._seconds["spikes"] * self._rates[population.name]
            by_layer[population.name] = memory, compute
        return by_layer

    @cached_property
    def _loads(self) -> dict[str, list[tuple[int, Floats]]]:
        found: dict[str, list[tuple[int, Floats]]] = {p.name: [] for p in self._program.populations}
        for number, c in enumerate(self._program.connections):
            found[c.target].append((number, synaptic_load(c, self._program, self._rates[c.source])))
        return found

    @cached_property
    def _unmoved(self) -> Estimate:
        """Dynamic joules of a step that no partition changes."""
        events = Events()
        for population in self._program.populations:
            for number, load in self._loads[population.name]:
                kind = f"synops_{encoding(self._program.connections[number], self._program)}"
                events += Events(**{kind: Estimate.exact(float(load.sum()))})
            spikes = Estimate.exact(float(self._rates[population.name].sum()))
            events += Events(updates_active=Estimate.exact(float(population.size)), spikes=spikes)
        return dynamic_energy(events, self._chip.energy)

    def of_mapping(self, mapping: Mapping) -> StepCost:
        """The cost of a mapping whose cores hold one slice each, where it placed them."""
        parts: dict[str, list[Slice]] = {p.name: [] for p in self._program.populations}
        numbers: dict[str, list[int]] = {name: [] for name in parts}
        for name in parts:
            for index, part in slices_of(mapping.placed, name):
                parts[name].append(part)
                numbers[name].append(mapping.placed[index].number)
        return self.of(parts, [number for name in parts for number in numbers[name]])

    def of(self, parts: Parts, numbers: Sequence[int] | None = None) -> StepCost:
        """The cost of a partition; numbers: of the cores, slice by slice, by default in order."""
        first = dict(zip(parts, np.cumsum([0, *(len(slices) for slices in parts.values())]), strict=False))
        cores = sum(len(slices) for slices in parts.values())
        # the last row is the input
        sent, received = np.zeros((cores + 1, cores)), np.zeros(cores)
        own = {name: self._own(name, tuple(slices)) for name, slices in parts.items()}
        for number, c in enumerate(self._program.connections):
            source = parts.get(c.source)
            slots = None if source is None else self._slot(c.source, tuple(source))
            for j, elements in enumerate(self._elements(number, c, tuple(parts[c.target]))):
                column, rates = first[c.target] + j, self._rates[c.source][elements]
                received[column] += rates.sum()
                if slots is None or source is None:
                    sent[-1, column] += rates.sum()
                else:
                    rows = slice(first[c.source], first[c.source] + len(source))
                    sent[rows, column] += np.bincount(slots[elements], rates, len(source))
        messages, core = sent[:-1].sum(axis=1), {}
        for name in parts:
            rows = slice(first[name], first[name] + len(parts[name]))
            traffic = self._seconds[RECEIVED] * received[rows] + self._seconds["messages"] * messages[rows]
            loads = np.stack([*own[name], traffic])
            largest = loads.max(axis=0)
            core[name] = self._busy(largest, loads.sum(axis=0) - largest)
        return self._priced(core, sent, range(cores) if numbers is None else numbers)

    def _priced(self, core: Table[str, Floats], sent: Floats, numbers: Sequence[int]) -> StepCost:
        positions = np.array([self._board.position(n) for n in numbers], np.int64)
        rows, columns = np.nonzero(sent)
        sources = np.concatenate([positions, np.zeros((1, 3), np.int64)])[rows]
        hops, chip_hops = self._board.distances(sources, positions[columns])
        link, flight = 0.0, int(hops.max(initial=0)) * self._chip.time.hop.value
        if hops.sum() <= MOST_HOPS:
            taken = routes(self._board, sources, positions[columns])
            carried = np.bincount(taken.links, np.repeat(sent[rows, columns], taken.lengths), len(taken.ends))
            link = float(carried.max(initial=0)) * optional(self._chip.time.link).typical
        moved = Events(
            messages=Estimate.exact(float(sent[:-1].sum())),
            hops=Estimate.exact(float(sent[rows, columns] @ hops)),
            chip_hops=Estimate.exact(float(sent[rows, columns] @ chip_hops)),
        )
        slowest = max(float(values.max()) for values in core.values())
        time = self._chip.time.step_minimum.value + max(slowest, link) + flight
        static = static_power(self._chip, len(np.unique(positions[:, 0])), len(positions)).typical
        dynamic = self._unmoved.typical + dynamic_energy(moved, self._chip.energy).typical
        return StepCost(time, dynamic + static * time, core, link)

    def _busy(self, largest: Floats, others: Floats) -> Floats:
        """Seconds of the largest load, and what the others add to it."""
        return largest + optional(self._chip.time.serial).typical * others

    def _own(self, name: str, slices: tuple[Slice, ...]) -> list[Floats]:
        """Seconds of memory and of compute of every slice."""
        slots = self._slot(name, slices)
        return [np.bincount(slots, load, len(slices)).astype(np.float64) for load in self._own_loads[name]]

    def _slot(self, name: str, slices: tuple[Slice, ...]) -> NDArray[np.int64]:
        """The slice of every neuron, (size,)."""
        if slices not in self._slots:
            population = self._program.population(name)
            slots = np.zeros(population.size, np.int64)
            for number, part in enumerate(slices):
                slots[part.neurons(population.shape)] = number
            self._slots[slices] = slots
        return self._slots[slices]

    def _elements(self, number: int, c: Connection, slices: tuple[Slice, ...]) -> list[NDArray[np.int64]]:
        """The source elements that every slice of the target receives from."""
        if (number, slices) not in self._reached:
            shape = self._program.population(c.target).shape
            reached = [receives_from(c, self._program, part.neurons(shape)).astype(np.int64) for part in slices]
            self._reached[number, slices] = reached
        return self._reached[number, slices]
