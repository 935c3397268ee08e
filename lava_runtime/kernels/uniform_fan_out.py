"""Times of connections with uniform fan-out, from spike counts per part, without enumerating messages."""

from __future__ import annotations

from spikeport.common.compiled import njit

from .reductions import add_product


@njit(cache=True, nogil=True)
def add_uniform(spikes, ranges, own_price, target_price, core_of, events, totals):
    """Add the seconds of spikes (steps, parts, samples) at source and target to events (3, steps, cores, samples).

    ranges: the parts of every connection's source, and of its target, start and stop (excluded), (connections, 4).
    own_price: seconds per spike of a part, (3, parts); target_price: seconds per source spike on a part of the target,
    (3, connections, parts). totals: written, spikes of the source, (connections, steps, samples).
    """
    for t in range(spikes.shape[0]):
        for p in range(spikes.shape[1]):
            if core_of[p] >= 0:
                for bound in range(3):
                    add_product(events[bound, t, core_of[p]], spikes[t, p], own_price[bound, p])
        for c in range(len(ranges)):
            total = totals[c, t]
            total[:] = 0.0
            for p in range(ranges[c, 0], ranges[c, 1]):
                total += spikes[t, p]
            for p in range(ranges[c, 2], ranges[c, 3]):
                for bound in range(3):
                    add_product(events[bound, t, core_of[p]], total, target_price[bound, c, p])


@njit(cache=True, nogil=True)
def add_uniform_shares(spikes, totals, ranges, own_share, target_share, starts, parts_of, slowest, left, arrived):
    """Sum over samples the time of the slowest cores (steps, samples), negative for none, on these connections.

    Core c has parts_of[starts[c] : starts[c + 1]]. own_share: seconds per spike by kind, (kinds, parts), added to left
    (kinds, steps); target_share: seconds per synapse list and per received message, (2, connections, parts), added to
    arrived (2, connections, steps).
    """
    for t in range(spikes.shape[0]):
        for b in range(spikes.shape[2]):
            core = slowest[t, b]
            if core < 0:
                continue
            for n in range(starts[core], starts[core + 1]):
                p = parts_of[n]
                count = spikes[t, p, b]
                if count != 0:
                    for kind in range(len(own_share)):
                        left[kind, t] += own_share[kind, p] * count
                for c in range(len(ranges)):
                    if ranges[c, 2] <= p < ranges[c, 3]:
                        arrived[0, c, t] += target_share[0, c, p] * totals[c, t, b]
                        arrived[1, c, t] += target_share[1, c, p] * totals[c, t, b]
