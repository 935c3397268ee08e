"""A run by time step and core: means over its samples, built up a group of samples at a time.

A step lasts until its slowest core has done its work and the barrier has closed, sample by sample; means are taken
after that. Samples one after the other take the whole run each (unpipelined). Pipelined, the next sample enters behind
the last input step, and the tail of one overlaps with the head of the next: no network state may then need a reset
between samples that its own neurons do not do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hardware_profiles.schema import ChipProfile
from lava_runtime.cost_model.events import Events
from lava_runtime.costs import Range
from lava_runtime.kernels.counting import busiest

from .counts import RECEIVED, Counts, Floats
from .placement import Placement
from .pricing import Factors, bounds, of_counts, of_events, of_updates, seconds

BARRIER = "barrier"


@dataclass(frozen=True)
class Timeline:
    """Means over samples. exact: counts by name, (rows, parts); active: active updates low to high, (3, rows, parts).

    rows: time steps where the run was recorded step by step (`recorded`), else one row that stands for the mean step.
    work: busy seconds of the cores, (3, rows, cores); step: seconds of a step, (3, rows); shares: what the slowest core
    spent them on, typical, by name, (rows,); slowest: share of steps in which each core was it, (cores,).
    latency: seconds of the whole run; period: seconds between two answers when samples follow each other pipelined.
    """

    placement: Placement
    recorded: bool
    steps: int
    samples: int
    exact: dict[str, Floats]
    active: Floats
    work: Floats
    step: Floats
    shares: dict[str, Floats]
    slowest: Floats
    latency: Range
    period: Range

    @property
    def repeats(self) -> int:
        """Steps that a row stands for."""
        return 1 if self.recorded else self.steps

    def by_layer(self, layer: str, name: str) -> Floats:
        """An event's count by row in one input or population, (rows,)."""
        own = self.placement.of(layer)
        rows = self.exact.get(name)
        return np.zeros(len(self.active[0])) if rows is None else rows[:, own].sum(axis=1)

    def events(self, layer: str) -> Events:
        """All events of an input or population over the whole run."""
        own = self.placement.of(layer)
        exact = {
            name: Range.exact(float(rows[:, own].sum()) * self.repeats)
            for name, rows in self.exact.items()
            if name != RECEIVED
        }
        active = self.active[:, :, own].sum(axis=(1, 2)) * self.repeats
        every = float(self.placement.sizes[own].sum() * self.steps)
        return Events(**exact, updates_active=Range(*active), updates_inactive=Range(*(every - active)))

    def energy(self, factors: Factors) -> Floats:
        """Dynamic joules by row and part, (3, rows, parts)."""
        return of_counts(Counts(self.exact, self.active), self.placement, factors)


@dataclass
class TimelineBuilder:
    """Adds up groups of samples.

    steps: of the chip; input_steps: those in which input enters. recorded: whether counts come step by step or, else,
    as one row of sums over all steps.
    """

    placement: Placement
    chip: ChipProfile
    steps: int
    input_steps: int
    recorded: bool
    _sums: dict[str, Floats] = field(default_factory=dict)
    _samples: int = 0

    @cached_property
    def _seconds(self) -> Factors:
        return seconds(self.chip)

    def add(self, counts: Counts) -> None:
        """Take in a group of samples."""
        counts = self._a_step(counts)
        factors = self._seconds
        events, updates = of_events(counts.exact, factors), of_updates(counts.active, self.placement, factors)
        work, updating = self.placement.by_core(events), self.placement.by_core(updates)
        busy = work + updating
        least = np.array(bounds(Range.of(self.chip.time.step_minimum)))
        longest, slowest = _longest(busy)
        step = longest + least[:, None, None]
        self._add("work", busy.sum(axis=2))
        self._add("step", step.sum(axis=2))
        self._add("slowest", np.bincount(slowest.ravel(), minlength=self.placement.cores).astype(float))
        self._add("active", counts.active.sum(axis=2))
        for name, values in counts.exact.items():
            self._add(f"exact {name}", values.sum(axis=1))
            factor = factors[name].typical
            if factor:
                self._add(f"share {name}", factor * _at(self.placement.by_core(values), slowest).sum(axis=1))
        self._add("share neuron_updates", _at(updating[1], slowest).sum(axis=1))
        self._add("period", self._pipelined(work, updating, least))
        self._samples += counts.active.shape[2]

    def finish(self) -> Timeline:
        """Means over all samples."""
        mean = {name: values / self._samples for name, values in self._sums.items()}
        repeats = 1 if self.recorded else self.steps
        least = np.full(mean["step"].shape[1], bounds(Range.of(self.chip.time.step_minimum))[1])
        return Timeline(
            self.placement,
            self.recorded,
            self.steps,
            self._samples,
            _named(mean, "exact "),
            mean["active"],
            mean["work"],
            mean["step"],
            {BARRIER: least, **_named(mean, "share ")},
            mean["slowest"] / len(mean["step"][0]),
            Range(*(mean["step"].sum(axis=1) * repeats)),
            Range(*mean["period"]),
        )

    def _a_step(self, counts: Counts) -> Counts:
        """Counts of the mean step, where they were sums over all."""
        if self.recorded:
            return counts
        exact = {name: values / self.steps for name, values in counts.exact.items()}
        low = counts.active[:1] / self.steps
        return Counts(exact, np.concatenate([low, counts.active[1:]]))

    def _pipelined(self, work: Floats, updating: Floats, least: NDArray[np.float64]) -> Floats:
        """Seconds from answer to answer, summed over the samples: every sample follows the one before in its group."""
        if not self.recorded:
            busy = work * (self.steps / self.input_steps) + updating
            longest: Floats = (_longest(busy)[0] + least[:, None, None]).sum(axis=(1, 2)) * self.input_steps
            return longest
        folded, updates = work[:, : self.input_steps].copy(), updating[:, : self.input_steps].copy()
        for begin in range(self.input_steps, self.steps, self.input_steps):
            tail = slice(begin, min(begin + self.input_steps, self.steps))
            head, turn = slice(0, tail.stop - begin), begin // self.input_steps
            folded[:, head] += np.roll(work[:, tail], turn, axis=2)
            updates[:, head] = np.maximum(updates[:, head], np.roll(updating[:, tail], turn, axis=2))
        answer: Floats = (_longest(folded + updates)[0] + least[:, None, None]).sum(axis=(1, 2))
        return answer

    def _add(self, name: str, values: Floats) -> None:
        self._sums[name] = self._sums[name] + values if name in self._sums else values


def _longest(busy: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """The work of the busiest core, bound by bound, and which it is by typical work: (3, steps, samples, cores)."""
    longest, slowest = np.empty(busy.shape[:-1]), np.empty(busy.shape[1:-1], np.int64)
    busiest(busy, longest, slowest)
    return longest, slowest


def _at(values: Floats, core: NDArray[np.int64]) -> Floats:
    """Each step's and sample's value on one core: (steps, samples, cores) -> (steps, samples)."""
    found: Floats = np.take_along_axis(values, core[..., None], axis=-1)[..., 0]
    return found


def _named(values: dict[str, Floats], prefix: str) -> dict[str, Floats]:
    return {name.removeprefix(prefix): found for name, found in values.items() if name.startswith(prefix)}
