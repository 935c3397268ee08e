"""Events of a recorded run by step, sample and part of a core, counted exactly.

A spike's messages are delivered, and its synapses accessed, before the barrier that ends the step in which it was sent
(Davies et al. 2018, IEEE Micro 38(1), "Mesh operation"); longer delays wait at the target. So all work of a spike
counts in its own step.
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
"""Messages that arrive at a part; the other counts are named as in `cost_model.events.Events`."""


@dataclass(frozen=True)
class Counts:
    """Exact counts (names, steps, parts, samples), and bounds of active updates, (3, steps, ...)."""

    exact: Floats
    active: Floats


@dataclass(frozen=True)
class Runs:
    """Ranges of a node's elements on one part: from start to stop (excluded), on part slot."""

    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    slots: NDArray[np.int64]

    @classmethod
    def of(cls, slots: NDArray[np.int64]) -> Runs:
        """The runs of a node, from the part of each element."""
        edges = np.concatenate([[0], np.flatnonzero(np.diff(slots)) + 1, [len(slots)]]).astype(np.int64)
        starts = edges[:-1]
        return cls(starts, edges[1:], slots[starts])


class Counter:
    """Counts the events of a program under a placement: spikes, and their effects in connections of PerSourceFanOut.

    numbers: input is numbers of spikes over a whole run, in one row; otherwise spikes step by step.
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
        self._self_driven = {p.name: _is_self_driven(p) for p in program.populations}
        self._runs = {node.name: Runs.of(placement.slots[node.name]) for node in program.nodes}
        self._counts: Floats = np.zeros((0, 0, 0, 0))
        self._bounds: Floats = np.zeros((0, 0, 0, 0))

    def count(self, sent: Arrays, states: Arrays, samples: slice) -> Counts:
        """Count the events of some samples; sent: (steps, all samples, size) by node, inputs may end early.

        states: "STATE/NAME" (steps, all samples, *shape), if recorded; they distinguish active updates. The next call
        overwrites the result.
        """
        shape = len(self.names), self._steps, len(self._placement.parts), samples.stop - samples.start
        if self._counts.shape != shape:
            self._counts = np.zeros(shape)
        self._counts.fill(0)
        sums = dict(zip(self.names, self._counts, strict=True))
        for name, values in sent.items():
            self._sum(values, samples.start, name, sums["spikes"])
        for fan_out in self._fan_outs:
            into = [sums[name] for name in (f"synops_{fan_out.encoding}", RECEIVED, "messages", "hops", "chip_hops")]
            follow_spikes(
                sent[fan_out.source], samples.start, self._numbers, fan_out.indptr, fan_out.targets,
                fan_out.synapses, self._placement.slots[fan_out.source], fan_out.hops, fan_out.chip_hops, *into,
            )  # fmt: skip
        return Counts(self._counts, self._active(sent, states, samples, sums["spikes"]))

    def _sum(self, values: NDArray[Any], first: int, name: str, sums: Floats) -> None:
        runs = self._runs[name]
        count = add_numbers if self._numbers else count_bytes if values.itemsize == 1 else count_payloads
        count(values, first, runs.starts, runs.stops, runs.slots, sums)

    def _active(self, sent: Arrays, states: Arrays, samples: slice, spikes: Floats) -> Floats:
        """Low, typical and high number of active updates, exact if the states were recorded.

        Otherwise from those that spike to all, typically all, unless no state can have changed.
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
            feeding, self_driven = self._feeding[name], self._self_driven[name]
            bound_active(spikes, (own.start, own.stop), feeding, self_driven, self._placement.sizes, bounds)
        return bounds

    def _fed_by(self, population: Population) -> NDArray[np.bool_]:
        """The parts whose spikes can change a population's state, including its own, (parts,)."""
        feeding = np.zeros(len(self._placement.parts), np.bool_)
        for name in (population.name, *(c.source for c in self._program.into(population.name))):
            feeding[self._placement.of(name)] = True
        return feeding


def _is_self_driven(population: Population) -> bool:
    return any(bool(np.any(getattr(population, constant, 0))) for constant in ("bias", "v_initial"))
