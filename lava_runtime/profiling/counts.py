"""Events of a recorded run by step, sample and part of a core, counted exactly.

A spike's messages are delivered, and its synapses accessed, before the barrier that ends the step in which it was sent
(Davies et al. 2018, IEEE Micro 38(1), "Mesh operation"); a delay beyond that waits at the target. So all work of a
spike counts in its own step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.program.chip_program import ChipProgram, Population
from spikeport.lava_runtime.kernels.counting import (
    add_numbers,
    bound_active,
    count_bytes,
    count_payloads,
    follow_spikes,
)

from .activity import recorded_active
from .fan_out import FanOut, PerSourceFanOut
from .placement import Placement

Floats = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]

RECEIVED = "received"
"""Messages that arrive at a part; the other names of counts are those of `cost_model.events.Events`."""


@dataclass(frozen=True)
class Counts:
    """What happened: exact counts (names, steps, parts, samples), and bounds of active updates, (3, steps, ...)."""

    exact: Floats
    active: Floats


@dataclass(frozen=True)
class Runs:
    """Elements of a node that lie on one part in a row: from begin to end (excluded), on part slot."""

    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    slots: NDArray[np.int64]

    @classmethod
    def of(cls, slots: NDArray[np.int64]) -> Runs:
        """The runs of a node's elements, whose parts these are."""
        edges = np.concatenate([[0], np.flatnonzero(np.diff(slots)) + 1, [len(slots)]]).astype(np.int64)
        begins = edges[:-1]
        return cls(begins, edges[1:], slots[begins])


class Counter:
    """Counts the events of a program under a placement: spikes, and what they cause in connections of the kind Each.

    numbers: what is counted are numbers of spikes over a whole run, in one row; else what was sent, step by step.
    """

    def __init__(
        self, program: ChipProgram, placement: Placement, fan_outs: Sequence[FanOut], steps: int, numbers: bool
    ) -> None:
        self._program, self._placement = program, placement
        self._fan_outs = [fan_out for fan_out in fan_outs if isinstance(fan_out, PerSourceFanOut)]
        self._steps, self._numbers = steps, numbers
        formats = sorted({f"synops_{fan_out.encoding}" for fan_out in self._fan_outs})
        caused = (RECEIVED, "messages", "hops", "chip_hops", *formats) if self._fan_outs else ()
        self.names = ("spikes", *caused)
        self._feeding = {p.name: self._fed_by(p) for p in program.populations}
        self._moving = {p.name: _moves_by_itself(p) for p in program.populations}
        self._runs = {node.name: Runs.of(placement.slots[node.name]) for node in program.nodes}
        self._room: Floats = np.zeros((0, 0, 0, 0))
        self._bounds: Floats = np.zeros((0, 0, 0, 0))

    def count(self, sent: Arrays, states: Arrays, samples: slice) -> Counts:
        """Count the events of some samples of what was sent, (steps, all samples, size) by node; inputs may end early.

        states: "STATE/NAME" (steps, all samples, *shape), where they were recorded; they tell active updates apart.
        The next call writes over what this one returns.
        """
        shape = len(self.names), self._steps, len(self._placement.parts), samples.stop - samples.start
        if self._room.shape != shape:
            self._room = np.zeros(shape)
        self._room.fill(0)
        sums = dict(zip(self.names, self._room, strict=True))
        for name, values in sent.items():
            self._sum(values, samples.start, name, sums["spikes"])
        for fan_out in self._fan_outs:
            into = [sums[name] for name in (f"synops_{fan_out.encoding}", RECEIVED, "messages", "hops", "chip_hops")]
            follow_spikes(
                sent[fan_out.source], samples.start, self._numbers, fan_out.indptr, fan_out.targets,
                fan_out.synapses, self._placement.slots[fan_out.source], fan_out.hops, fan_out.chip_hops, *into,
            )  # fmt: skip
        return Counts(self._room, self._active(sent, states, samples, sums["spikes"]))

    def _sum(self, values: NDArray[Any], first: int, name: str, sums: Floats) -> None:
        runs = self._runs[name]
        count = add_numbers if self._numbers else count_bytes if values.itemsize == 1 else count_payloads
        count(values, first, runs.begins, runs.ends, runs.slots, sums)

    def _active(self, sent: Arrays, states: Arrays, samples: slice, spikes: Floats) -> Floats:
        """Low, typical and high number of active updates, counted where the states were recorded.

        Elsewhere: from those that spike to all, typically all, unless nothing can have moved.
        """
        if self._bounds.shape != (3, *spikes.shape):
            self._bounds = np.zeros((3, *spikes.shape))
        bounds = self._bounds
        for population in self._program.populations:
            own, name = self._placement.of(population.name), population.name
            some = {key: values[:, samples] for key, values in states.items() if key.split("/", 1)[1] == name}
            active = recorded_active(population, sent[name][:, samples], some)
            if active is not None:
                counted = np.zeros(spikes.shape)
                self._sum(active, 0, name, counted)
                bounds[:, :, own] = counted[:, own]
                continue
            feeding, moves = self._feeding[name], self._moving[name]
            bound_active(spikes, (own.start, own.stop), feeding, moves, self._placement.sizes, bounds)
        return bounds

    def _fed_by(self, population: Population) -> NDArray[np.bool_]:
        """The parts whose spikes can move a population, its own among them, (parts,)."""
        feeding = np.zeros(len(self._placement.parts), np.bool_)
        for name in (population.name, *(c.source for c in self._program.into(population.name))):
            feeding[self._placement.of(name)] = True
        return feeding


def _moves_by_itself(population: Population) -> bool:
    return any(bool(np.any(getattr(population, constant, 0))) for constant in ("bias", "v_initial"))
