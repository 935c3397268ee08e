"""Seconds: a step ends when the slowest core has, the host has served its spikes, and the barrier has closed.

    core = synops * synop + compartments * neuron_update + spikes * spike + messages * message + received * message_in
    step = step_minimum + max(max over cores of core, max over links of messages * link) + longest route * hop
           + host_messages * host_message

All counts are those of one core or link in one step. The work of a core is serial, cores and links work at the same
time; the last message still takes its route, hop by hop. The maximum over loads follows the floorline model (arXiv
2511.21549: memory-, compute- and traffic-bound cores) and the max-affine model of Loihi 2 (arXiv 2601.10035).
"""

from __future__ import annotations

from dataclasses import dataclass

from spikeport.hardware_profiles.schema import ChipTime

from .energy import optional
from .estimate import Estimate
from .events import NOTHING, Events


@dataclass(frozen=True)
class CoreStep:
    """What one core does in one step: its events, and the messages it receives."""

    events: Events
    received: Estimate = NOTHING


def core_time(core: CoreStep, time: ChipTime) -> Estimate:
    """Seconds of serial work of one core in one step; hops are the work of the mesh."""
    events = core.events
    active = Estimate.of(time.neuron_update_active or time.neuron_update)
    return (
        events.synops_dense.times(Estimate.of(time.synop))
        + events.synops_sparse.times(Estimate.of(time.synop_sparse or time.synop))
        + events.synops_conv.times(Estimate.of(time.synop_conv or time.synop))
        + events.updates_inactive.times(Estimate.of(time.neuron_update))
        + events.updates_active.times(active)
        + events.spikes.times(optional(time.spike))
        + events.messages.times(optional(time.message))
        + core.received.times(optional(time.message_in))
    )


def step_time(slowest: Estimate, host_messages: Estimate, time: ChipTime) -> Estimate:
    """Seconds of a step: barrier, slowest core, and the host's injected and read spikes."""
    return Estimate.of(time.step_minimum) + slowest + host_messages.times(optional(time.host_message))
