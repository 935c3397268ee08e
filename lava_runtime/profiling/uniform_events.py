"""Events of connections with uniform fan-out, computed from the spike counts of the source's parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.lava_runtime.kernels.uniform_fan_out import add_uniform, add_uniform_shares

from .counts import RECEIVED, Floats
from .fan_out import UniformFanOut
from .placement import Placement

LEAVING = ("messages", "hops", "chip_hops")


@dataclass(frozen=True)
class UniformEvents:
    """The effects of one spike of every part in such connections.

    kinds: of synaptic operations, by connection; ranges: parts of source and target, (connections, 4). leaving:
    messages, hops and chip hops, (3 kinds, parts); synops and reached: synaptic operations and messages received on
    every part, (connections, parts). The rest are seconds: sent (3, parts), read and received (3, connections, parts)
    low to high, own_share (3 kinds, parts) and target_share (2, connections, parts) typical.
    """

    kinds: tuple[str, ...]
    ranges: NDArray[np.int64]
    leaving: Floats
    synops: Floats
    reached: Floats
    sent: Floats
    read: Floats
    received: Floats
    own_share: Floats
    target_share: Floats

    @classmethod
    def of(cls, fan_outs: Sequence[UniformFanOut], placement: Placement, factors: dict[str, Floats]) -> UniformEvents:
        """The tables; factors: seconds of an event, (3,), by kind."""
        parts = len(placement.parts)
        ranges, kinds = np.zeros((len(fan_outs), 4), np.int64), []
        leaving = np.zeros((len(LEAVING), parts))
        synops, reached = np.zeros((2, len(fan_outs), parts))
        for number, fan_out in enumerate(fan_outs):
            own, targets = placement.of(fan_out.source), fan_out.targets
            ranges[number] = own.start, own.stop, targets.start, targets.stop
            kinds.append(f"synops_{fan_out.encoding}")
            leaving[:, own] += [np.full(own.stop - own.start, len(fan_out.synapses)), fan_out.hops, fan_out.chip_hops]
            synops[number, targets], reached[number, targets] = fan_out.synapses, 1.0
        each = np.array([factors[kind] for kind in kinds]).reshape(-1, 3).T[:, :, None]
        leave = np.stack([factors[kind] for kind in LEAVING], axis=1)
        read, received = each * synops, factors[RECEIVED][:, None, None] * reached
        arrive = np.stack([read[1], received[1]])
        return cls(
            tuple(kinds), ranges, leaving, synops, reached,
            leave @ leaving, read, received, leave[1][:, None] * leaving, arrive,
        )  # fmt: skip

    def add_seconds(self, spikes: Floats, core_of: NDArray[np.int64], events: Floats) -> Floats:
        """Add seconds to events, see `step_times`; spikes of every source, (connections, steps, samples)."""
        totals = np.empty((len(self.kinds), len(spikes), spikes.shape[2]))
        memory, _, traffic = events
        add_uniform(spikes, self.ranges, self.sent, self.read, self.received, core_of, memory, traffic, totals)
        return totals

    def shares(
        self,
        spikes: Floats,
        totals: Floats,
        by_core: tuple[NDArray[np.int64], NDArray[np.int64]],
        slowest: tuple[NDArray[np.int64], NDArray[np.int64]],
        serial: float,
    ) -> list[tuple[str, Floats]]:
        """Seconds of the slowest cores, (steps,) by kind; slowest: these and their largest load, (steps, samples).

        by_core: see `Placement.parts_by_core`; serial: what the other loads add.
        """
        left, arrived = np.zeros((len(LEAVING), len(spikes))), np.zeros((2, len(self.kinds), len(spikes)))
        add_uniform_shares(
            spikes, totals, self.ranges, self.own_share, self.target_share, *by_core, serial, *slowest,
            left, arrived,
        )  # fmt: skip
        received = [(RECEIVED, row) for row in arrived[1]]
        return [*zip(LEAVING, left, strict=True), *zip(self.kinds, arrived[0], strict=True), *received]

    def events(self, spikes: Floats) -> list[tuple[str, Floats]]:
        """Events of all these connections by kind, (steps, parts), from spikes (steps, parts)."""
        counts = [(kind, spikes * each) for kind, each in zip(LEAVING, self.leaving, strict=True)]
        for number, kind in enumerate(self.kinds):
            start, stop = self.ranges[number, :2]
            total = spikes[:, start:stop].sum(axis=1)[:, None]
            counts += [(kind, total * self.synops[number]), (RECEIVED, total * self.reached[number])]
        return counts
