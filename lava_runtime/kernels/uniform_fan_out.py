"""Times of connections with uniform fan-out, from spike counts per part, without enumerating messages."""

from __future__ import annotations

from spikeport.common.compiled import njit

from .reductions import add_product


@njit(cache=True, nogil=True)
def add_uniform(spikes, ranges, sent, read, received, core_of, memory, traffic, totals):
    """Add the seconds of spikes (steps, parts, samples) to memory and traffic, (3, steps, cores, samples) each.

    ranges: the parts of every connection's source, and of its target, start and stop (excluded), (connections, 4).
    sent: seconds of traffic per spike of a part, (3, parts); read, received: seconds of memory and of traffic per
    source spike on a part of the target, (3, connections, parts). totals: written, spikes of the source, (connections,
    steps, samples).
    """
    for t in range(spikes.shape[0]):
        for p in range(spikes.shape[1]):
            if core_of[p] >= 0:
                for bound in range(3):
                    add_product(traffic[bound, t, core_of[p]], spikes[t, p], sent[bound, p])
        for c in range(len(ranges)):
            total = totals[c, t]
            total[:] = 0.0
            for p in range(ranges[c, 0], ranges[c, 1]):
                total += spikes[t, p]
            for p in range(ranges[c, 2], ranges[c, 3]):
                for bound in range(3):
                    add_product(memory[bound, t, core_of[p]], total, read[bound, c, p])
                    add_product(traffic[bound, t, core_of[p]], total, received[bound, c, p])


@njit(cache=True, nogil=True)
def add_uniform_shares(
    spikes, totals, ranges, own_share, target_share, starts, parts_of, serial, slowest, slowest_load, left, arrived
):
    """Sum over samples the time of the slowest cores (steps, samples), negative for none, on these connections.

    Of the core's largest load, slowest_load (steps, samples), all, of others the share serial: 0 memory, 1 compute, 2
    traffic. Core c has parts_of[starts[c] : starts[c + 1]]. own_share: seconds per spike by kind, (kinds, parts), added
    to left (kinds, steps); target_share: seconds per synapse list and per received message, (2, connections, parts),
    added to arrived (2, connections, steps).
    """
    for t in range(spikes.shape[0]):
        for b in range(spikes.shape[2]):
            core, load = slowest[t, b], slowest_load[t, b]
            if core < 0:
                continue
            reading, moving = 1.0 if load == 0 else serial, 1.0 if load == 2 else serial
            for n in range(starts[core], starts[core + 1]):
                p = parts_of[n]
                count = spikes[t, p, b]
                if count != 0:
                    for kind in range(len(own_share)):
                        left[kind, t] += moving * own_share[kind, p] * count
                for c in range(len(ranges)):
                    if ranges[c, 2] <= p < ranges[c, 3]:
                        arrived[0, c, t] += reading * target_share[0, c, p] * totals[c, t, b]
                        arrived[1, c, t] += moving * target_share[1, c, p] * totals[c, t, b]
