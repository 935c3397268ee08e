"""A run by time step and core: means over its samples, built up a group of samples at a time.

A step lasts until its slowest core has done its work and the barrier has closed, sample by sample; means are taken
after that. Samples one after the other take the whole run each (unpipelined). Pipelined, the next sample enters behind
the last input step, and the tail of one overlaps with the head of the next: no network state may then need a reset
between samples that its own neurons do not do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spikeport.hardware_profiles.schema import ChipProfile
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.lava_runtime.cost_model.events import Events
from spikeport.lava_runtime.kernels.step_times import add_shares, add_steps, core_seconds, pipelined_seconds

from .counts import RECEIVED, Counts, Floats
from .fan_out import UniformFanOut
from .placement import Placement
from .pricing import ACTIVE, INACTIVE, Factors, bounds, of_events, of_updates, seconds
from .uniform_events import UniformEvents

BARRIER = "barrier"

Sums = dict[str, Floats]
"""What is added up over samples, by name."""


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
    latency: Estimate
    period: Estimate

    @property
    def repeats(self) -> int:
        """Steps that a row stands for."""
        return 1 if self.recorded else self.steps

    def events(self, layer: str) -> Events:
        """All events of an input or population over the whole run."""
        own = self.placement.of(layer)
        exact = {
            name: Estimate.exact(float(rows[:, own].sum()) * self.repeats)
            for name, rows in self.exact.items()
            if name != RECEIVED
        }
        active = self.active[:, :, own].sum(axis=(1, 2)) * self.repeats
        every = float(self.placement.sizes[own].sum() * self.steps)
        return Events(**exact, updates_active=Estimate(*active), updates_inactive=Estimate(*(every - active)))

    def energy(self, factors: Factors) -> Floats:
        """Dynamic joules by row and part, (3, rows, parts)."""
        return of_events(self.exact, factors) + of_updates(self.active, self.placement, factors)


class StepTimes:
    """Times of groups of samples, one group after the other.

    steps: of the chip; input_steps: those in which input enters. recorded: whether counts come step by step or, else,
    as one row of sums over all steps. names: of the counts; alikes: connections whose events follow from spikes.
    """

    def __init__(
        self,
        placement: Placement,
        chip: ChipProfile,
        steps: int,
        input_steps: int,
        recorded: bool,
        names: tuple[str, ...],
        alikes: Sequence[UniformFanOut],
    ) -> None:
        self._placement, self._steps, self._input_steps, self._recorded = placement, steps, input_steps, recorded
        self._names, factors = names, {name: np.array(bounds(factor)) for name, factor in seconds(chip).items()}
        self._factors = np.stack([factors[name] for name in names], axis=1)
        self._alike = UniformEvents.of(alikes, placement, factors)
        self._update = factors[ACTIVE], factors[INACTIVE]
        self._least = np.array(bounds(Estimate.of(chip.time.step_minimum)))
        self._room = np.empty((0, 0, 0, 0, 0))

    def sums(self, counts: Counts) -> Sums:
        """Sums over a group of samples."""
        exact, active = self._a_step(counts)
        place = self._placement
        kinds, rows, parts, samples = exact.shape
        if self._room.shape != (2, 3, rows, place.cores, samples):
            self._room = np.empty((2, 3, rows, place.cores, samples))
        events, updates = self._room
        summed, summed_active = np.zeros((kinds, rows, parts)), np.zeros((3, rows, parts))
        work, step, slowest = np.zeros((3, rows, place.cores)), np.zeros((3, rows)), np.zeros(place.cores)
        chosen, shares = np.zeros((rows, samples), np.int64), np.zeros((kinds + 1, rows))
        core_seconds(
            exact, active, place.sizes, place.core_of, self._factors, *self._update,
            events, updates, summed, summed_active,
        )  # fmt: skip
        totals = self._alike.add_seconds(exact[0], place.core_of, events)
        add_steps(events, updates, self._least, work, step, slowest, chosen)
        add_shares(exact, updates[1], *place.held, self._factors[1], chosen, shares)
        found = {"work": work, "step": step, "slowest": slowest, "active": summed_active}
        found["period"], found["samples"] = self._pipelined(events, updates, step), np.array(float(samples))
        named = [(f"exact {name}", values) for name, values in zip(self._names, summed, strict=True)]
        named += [(f"share {name}", row) for name, row in zip((*self._names, "neuron_updates"), shares, strict=True)]
        named += [(f"share {name}", row) for name, row in self._alike.shares(exact[0], totals, place.held, chosen)]
        for name, values in named:
            found[name] = found[name] + values if name in found else values
        return found

    def timeline(self, sums: Sums) -> Timeline:
        """Means over all samples."""
        mean = {name: values / sums["samples"] for name, values in sums.items()}
        rows, repeats = mean["step"].shape[1], 1 if self._recorded else self._steps
        shares = {name: values for name, values in _named(mean, "share ").items() if values.any()}
        exact = _named(mean, "exact ")
        for name, values in self._alike.events(exact["spikes"]):
            exact[name] = exact[name] + values if name in exact else values
        return Timeline(
            self._placement,
            self._recorded,
            self._steps,
            int(sums["samples"]),
            {name: values for name, values in exact.items() if values.any() or name != "chip_hops"},
            mean["active"],
            mean["work"],
            mean["step"],
            {BARRIER: np.full(rows, self._least[1]), **shares},
            mean["slowest"] / rows,
            Estimate(*(mean["step"].sum(axis=1) * repeats)),
            Estimate(*mean["period"]),
        )

    def _a_step(self, counts: Counts) -> tuple[Floats, Floats]:
        """Counts and bounds of active updates, of the mean step where they were sums over all."""
        if self._recorded:
            return counts.exact, counts.active
        low = counts.active[:1] / self._steps
        return counts.exact / self._steps, np.concatenate([low, counts.active[1:]])

    def _pipelined(self, events: Floats, updates: Floats, step: Floats) -> Floats:
        """Seconds from answer to answer, summed over the samples: every sample follows the one before in its group."""
        if self._recorded:
            found: Floats = pipelined_seconds(events, updates, self._input_steps, self._least, step)
            return found
        # the mean step: the work of all steps in those in which input enters
        busy = events[:, 0] * (self._steps / self._input_steps) + updates[:, 0]
        slowest = self._least + busy.max(axis=1).mean(axis=1)
        mean: Floats = slowest * float(self._input_steps) * events.shape[3]
        return mean


def added(sums: Sums, more: Sums) -> Sums:
    """Sums over the samples of both."""
    return {name: sums[name] + values if sums else values for name, values in more.items()}


def _named(values: Sums, prefix: str) -> Sums:
    return {name.removeprefix(prefix): found for name, found in values.items() if name.startswith(prefix)}
