"""A run by time step and core: means over its samples, accumulated a group of samples at a time.

A step lasts until its slowest core has finished, or its busiest link has carried its messages if that takes longer, and
the barrier has closed, per sample; means are taken afterwards.
Unpipelined, each sample takes the whole run. Pipelined, the next sample enters after the last input step, and the tail
of one sample overlaps with the head of the next: that needs networks whose neurons require no external reset between
samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.hardware_profiles.schema import ChipProfile
from spikeport.lava_runtime.cost_model.energy import optional
from spikeport.lava_runtime.cost_model.estimate import Estimate
from spikeport.lava_runtime.cost_model.events import Events
from spikeport.lava_runtime.kernels.step_times import (
    add_shares,
    add_steps,
    core_seconds,
    link_loads,
    pipelined_seconds,
)

from .counts import RECEIVED, Counts, Floats
from .fan_out import FanOut, UniformFanOut
from .links import LinkTraffic
from .placement import Placement
from .pricing import ACTIVE, INACTIVE, Factors, bounds, load_number, of_events, of_updates, seconds
from .uniform_events import UniformEvents

BARRIER, LINK, FLIGHT = "barrier", "busiest link", "hops"

_OTHER = ("neuron_updates", LINK, FLIGHT)

Sums = dict[str, Floats]
"""Sums over samples, by name."""


@dataclass(frozen=True)
class Timeline:
    """Means over samples. exact: counts by name, (rows, parts); active: active updates low to high, (3, rows, parts).

    rows: time steps where the run was recorded step by step (`recorded`), else one row, the mean step. work: busy
    seconds of the cores, (3, rows, cores); step: seconds of a step, (3, rows); shares: what a step consists of, seconds
    by name, typical, (rows,); slowest, slowest_link: fraction of steps that each core, (cores,), and link, (links,),
    ends. carried: messages on every link, (rows, links); ends: the routers that it joins, (links, 4). latency: seconds
    of the whole run; period: seconds between two answers of pipelined samples.
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
    slowest_link: Floats
    carried: Floats
    ends: NDArray[np.int64]
    latency: Estimate
    period: Estimate

    @property
    def repeats(self) -> int:
        """Steps per row."""
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

    steps: of the chip; input_steps: those in which input enters. recorded: whether counts are step by step, or one row
    of sums over all steps. names: of the counts; links: of the mesh, see `LinkTraffic`.
    """

    def __init__(
        self,
        placement: Placement,
        chip: ChipProfile,
        steps: int,
        input_steps: int,
        recorded: bool,
        names: tuple[str, ...],
        fan_outs: Sequence[FanOut],
        links: LinkTraffic,
    ) -> None:
        self._placement, self._steps, self._input_steps, self._recorded = placement, steps, input_steps, recorded
        self._names, factors = names, {name: np.array(bounds(factor)) for name, factor in seconds(chip).items()}
        self._factors = np.stack([factors[name] for name in names], axis=1)
        self._load_of = np.array([load_number(name) for name in names])
        self._serial = np.array(bounds(optional(chip.time.serial)))
        uniform = [fan_out for fan_out in fan_outs if isinstance(fan_out, UniformFanOut)]
        self._uniform = UniformEvents.of(uniform, placement, factors)
        self._links = links
        self._link = np.array(bounds(optional(chip.time.link)))
        self._flight = np.array(bounds(Estimate.of(chip.time.hop) * links.longest))
        self._update = factors[ACTIVE], factors[INACTIVE]
        self._barrier = np.array(bounds(Estimate.of(chip.time.step_minimum)))
        self._events, self._updates, self._loads = (
            np.empty((3, 0, 0, 0, 0)),
            np.empty((3, 0, 0, 0)),
            np.empty((0, 0, 0)),
        )

    def sums(self, counts: Counts) -> Sums:
        """Sums over a group of samples."""
        exact, active = self._per_step(counts)
        placement = self._placement
        kinds, rows, parts, samples = exact.shape
        if self._updates.shape != (3, rows, placement.cores, samples):
            self._updates = np.empty((3, rows, placement.cores, samples))
            self._events = np.empty((3, *self._updates.shape))
            self._loads = np.empty((rows, self._links.count, samples))
        events, updates, loads = self._events, self._updates, self._loads
        summed, summed_active = np.zeros((kinds, rows, parts)), np.zeros((3, rows, parts))
        work, step, slowest = np.zeros((3, rows, placement.cores)), np.zeros((3, rows)), np.zeros(placement.cores)
        (slowest_core, slowest_load), shares = np.zeros((2, rows, samples), np.int64), np.zeros((kinds + 3, rows))
        carried, slowest_link = np.zeros((rows, self._links.count)), np.zeros(self._links.count)
        busiest = np.zeros((rows, samples))
        core_seconds(
            exact, active, placement.sizes, placement.core_of, self._factors, self._load_of, *self._update,
            events, updates, summed, summed_active,
        )  # fmt: skip
        totals = self._uniform.add_seconds(exact[0], placement.core_of, events)
        link_loads(exact[0], self._links.indptr, self._links.links, self._links.messages, loads)
        add_steps(
            events, updates, loads, self._serial, self._barrier, self._link, self._flight,
            work, step, slowest, slowest_core, slowest_load, carried, busiest, slowest_link,
        )  # fmt: skip
        add_shares(
            exact, updates[1], *placement.parts_by_core, self._factors[1], self._load_of, self._serial[1],
            slowest_core, slowest_load, busiest, self._link[1], self._flight[1], shares,
        )  # fmt: skip
        sums = {"work": work, "step": step, "slowest": slowest, "active": summed_active}
        sums |= {"carried": carried, "slowest link": slowest_link}
        sums["period"], sums["samples"] = self._pipelined(events, updates, loads, step), np.array(float(samples))
        named = [(f"exact {name}", values) for name, values in zip(self._names, summed, strict=True)]
        named += [(f"share {name}", row) for name, row in zip((*self._names, *_OTHER), shares, strict=True)]
        named += [
            (f"share {name}", row)
            for name, row in self._uniform.shares(
                exact[0], totals, placement.parts_by_core, (slowest_core, slowest_load), self._serial[1]
            )
        ]
        for name, values in named:
            sums[name] = sums[name] + values if name in sums else values
        return sums

    def timeline(self, sums: Sums) -> Timeline:
        """Means over all samples."""
        mean = {name: values / sums["samples"] for name, values in sums.items()}
        rows, repeats = mean["step"].shape[1], 1 if self._recorded else self._steps
        shares = {name: values for name, values in _named(mean, "share ").items() if values.any()}
        exact = _named(mean, "exact ")
        for name, values in self._uniform.events(exact["spikes"]):
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
            {BARRIER: np.full(rows, self._barrier[1]), **shares},
            mean["slowest"] / rows,
            mean["slowest link"] / rows,
            mean["carried"],
            self._links.ends,
            Estimate(*(mean["step"].sum(axis=1) * repeats)),
            Estimate(*mean["period"]),
        )

    def _per_step(self, counts: Counts) -> tuple[Floats, Floats]:
        """Counts and bounds of active updates per step, of the mean step if they are sums."""
        if self._recorded:
            return counts.exact, counts.active
        low = counts.active[:1] / self._steps
        return counts.exact / self._steps, np.concatenate([low, counts.active[1:]])

    def _pipelined(self, events: Floats, updates: Floats, loads: Floats, step: Floats) -> Floats:
        """Seconds between answers, summed over the samples, each following the previous one of its group."""
        if self._recorded:
            period: Floats = pipelined_seconds(
                events, updates, loads, self._serial, self._input_steps, self._barrier, self._link, self._flight, step
            )
            return period
        # the mean step: the work of all steps, done in the steps in which input enters
        repeats = self._steps / self._input_steps
        memory, compute, traffic = events[:, :, 0] * repeats
        each = np.stack([memory, compute + updates[:, 0], traffic])
        largest, serial = each.max(axis=0), self._serial[:, None, None]
        busy = (largest + serial * (each.sum(axis=0) - largest)).max(axis=1)
        busiest = loads[0].max(axis=0, initial=0) * repeats
        busy = np.maximum(busy, busiest * self._link[:, None]) + (busiest > 0) * self._flight[:, None]
        slowest = self._barrier + busy.mean(axis=1)
        mean: Floats = slowest * float(self._input_steps) * events.shape[-1]
        return mean


def added(sums: Sums, more: Sums) -> Sums:
    """Sums over the samples of both."""
    return {name: sums[name] + values if sums else values for name, values in more.items()}


def _named(values: Sums, prefix: str) -> Sums:
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
