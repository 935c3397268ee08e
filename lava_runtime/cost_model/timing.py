"""Seconds: a step ends when the slowest core has, the host has served its spikes, and the barrier has closed.

    memory  = synops * synop
    compute = compartments * neuron_update + spikes * spike
    traffic = messages * message + received * message_in
    core    = largest + serial * (memory + compute + traffic - largest),   largest = max(memory, compute, traffic)
    step    = step_minimum + max(max over cores of core, max over links of messages * link) + longest route * hop
              + host_messages * host_message

All counts are those of one core or link in one step. Cores and links work at the same time; the last message still
takes its route, hop by hop. Whether the loads of one core overlap as well depends on the chip: on Loihi 2 they do
(serial = 0), by the floorline model (arXiv 2511.21549: memory-, compute- and traffic-bound cores) and the max-affine
model (arXiv 2601.10035: barrier + the largest of neuron updates, synaptic operations, reads of synapses, and bits on a
link, r >= 0.97); on Loihi 1 they take turns (serial = 1), by SANA-FE's fit to runs on a board.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spikeport.hardware_profiles.schema import ChipTime

from .energy import optional
from .estimate import Estimate
from .events import NOTHING, Events

Load = Literal["memory", "compute", "traffic"]
LOADS: tuple[Load, ...] = ("memory", "compute", "traffic")
"""What a core does in a step, at the same time."""


@dataclass(frozen=True)
class CoreStep:
    """What one core does in one step: its events, and the messages it receives."""

    events: Events
    received: Estimate = NOTHING


def core_loads(core: CoreStep, time: ChipTime) -> dict[Load, Estimate]:
    """Seconds of each load of one core in one step; hops are the work of the mesh."""
    events = core.events
    active = Estimate.of(time.neuron_update_active or time.neuron_update)
    return {
        "memory": events.synops_dense.times(Estimate.of(time.synop))
        + events.synops_sparse.times(Estimate.of(time.synop_sparse or time.synop))
        + events.synops_conv.times(Estimate.of(time.synop_conv or time.synop)),
        "compute": events.updates_inactive.times(Estimate.of(time.neuron_update))
        + events.updates_active.times(active)
        + events.spikes.times(optional(time.spike)),
        "traffic": events.messages.times(optional(time.message)) + core.received.times(optional(time.message_in)),
    }


def core_time(core: CoreStep, time: ChipTime) -> Estimate:
    """Seconds of one core in one step: its largest load, and what the others add to it."""
    memory, compute, traffic = core_loads(core, time).values()
    largest, serial = memory.largest(compute).largest(traffic), optional(time.serial)
    alone, turns = Estimate.exact(1) + serial * -1, memory + compute + traffic
    # at the ends of the range with the share that belongs to them
    return Estimate(
        alone.low * largest.low + serial.low * turns.low,
        alone.typical * largest.typical + serial.typical * turns.typical,
        alone.high * largest.high + serial.high * turns.high,
    )


def step_time(slowest: Estimate, host_messages: Estimate, time: ChipTime) -> Estimate:
    """Seconds of a step: barrier, slowest core, and the host's injected and read spikes."""
    return Estimate.of(time.step_minimum) + slowest + host_messages.times(optional(time.host_message))
