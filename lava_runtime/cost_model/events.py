"""Event counts of one inference, which a chip's constants are multiplied with."""

from __future__ import annotations

from dataclasses import dataclass, fields

from spikeport.exporter.mapping import Encoding

from .estimate import Estimate

NOTHING = Estimate.zero()


@dataclass(frozen=True)
class Events:
    """Counts of one inference, over all its steps; a count that is not known exactly is a range.

    synops_*: synaptic operations by the format in which the core stores the synapse. updates_active: neuron updates
    with input in that step. messages: copies of spikes that leave for a core. hops, chip_hops: steps of a message
    from router to router, from chip to chip. host_messages: spikes injected or read by processors outside the cores.
    """

    synops_dense: Estimate = NOTHING
    synops_sparse: Estimate = NOTHING
    synops_conv: Estimate = NOTHING
    updates_active: Estimate = NOTHING
    updates_inactive: Estimate = NOTHING
    spikes: Estimate = NOTHING
    messages: Estimate = NOTHING
    hops: Estimate = NOTHING
    chip_hops: Estimate = NOTHING
    host_messages: Estimate = NOTHING

    def __add__(self, other: Events) -> Events:
        return Events(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def __mul__(self, factor: float) -> Events:
        return Events(**{f.name: getattr(self, f.name) * factor for f in fields(self)})

    @property
    def synops(self) -> Estimate:
        """Synaptic operations in every format."""
        return self.synops_dense + self.synops_sparse + self.synops_conv

    @property
    def updates(self) -> Estimate:
        """Neuron updates, active and inactive."""
        return self.updates_active + self.updates_inactive


def synops(encoding: Encoding, count: Estimate) -> Events:
    """Synaptic operations of one format."""
    return Events(**{f"synops_{encoding}": count})
