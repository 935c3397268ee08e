"""Seconds of every step from counts of events: the loads of each core and link, and the slowest of them.

A core's loads are memory, compute and traffic, in this order (`cost_model.timing.LOADS`): events (3 loads, 3 bounds,
steps, cores, samples) are seconds of each, updates (3 bounds, ...) those of neuron updates, which are part of compute.
A core takes as long as the largest and `serial` (3,) times the others. Samples are the innermost axis, so that the
compiler vectorises over them.
"""

from __future__ import annotations

import numpy as np

from spikeport.common.compiled import njit

from .reductions import add_product, total


@njit(cache=True, nogil=True, inline="always")
def _busy(memory, compute, traffic, serial):
    largest = max(memory, compute, traffic)
    return largest + serial * (memory + compute + traffic - largest)


@njit(cache=True, nogil=True)
def core_seconds(
    exact, active, sizes, core_of, factors, load_of, with_input, without, events, updates, summed, summed_active
):
    """Write to events and updates the seconds of the parts on each core; sum over samples.

    exact: counts of N kinds (N, steps, parts, samples), at factors (3, N), part of the loads load_of (N,); active:
    active updates (3, steps, parts, samples) at with_input, the rest of sizes (parts,) at without, (3,) each. core_of:
    (parts,), negative for inputs. summed (N, steps, parts) and summed_active (3, steps, parts) are the sums.
    """
    kinds, steps, parts, _ = exact.shape
    for t in range(steps):
        events[:, :, t], updates[:, t] = 0.0, 0.0
        for p in range(parts):
            core = core_of[p]
            for kind in range(kinds):
                count_sum = total(exact[kind, t, p])
                summed[kind, t, p] += count_sum
                if count_sum != 0 and core >= 0:
                    for bound in range(3):
                        add_product(events[load_of[kind], bound, t, core], exact[kind, t, p], factors[bound, kind])
            if core < 0:
                continue
            for bound in range(3):
                row = updates[bound, t, core]
                summed_active[bound, t, p] += total(active[bound, t, p])
                add_product(row, active[bound, t, p], with_input[bound] - without[bound])
                row += without[bound] * sizes[p]


@njit(cache=True, nogil=True)
def link_loads(spikes, indptr, links, messages, loads):
    """Write the messages on every link, loads (steps, links, samples), of spikes (steps, parts, samples).

    A spike of part p puts messages[k] on link links[k] for k from indptr[p] to indptr[p + 1].
    """
    for t in range(len(loads)):
        loads[t] = 0.0
        for p in range(len(indptr) - 1):
            for k in range(indptr[p], indptr[p + 1]):
                add_product(loads[t, links[k]], spikes[t, p], messages[k])


@njit(cache=True, nogil=True)
def add_steps(
    events, updates, loads, serial, least, link, flight,
    work, step, slowest, slowest_core, slowest_load, carried, busiest, slowest_link,
):  # fmt: skip
    """Sum over samples: busy seconds work (3, steps, cores) and messages carried (steps, links) of loads.

    And steps, (3, steps): the slowest core, or the busiest link's messages at link (3,) if that takes longer, on top of
    least (3,), and flight (3,) where any message takes a link. Counted by the second bound: slowest (cores,) and
    slowest_link (links,). Written: slowest_core, -1 for a link, its largest load, and the busiest link's messages,
    (steps, samples) each.
    """
    _, bounds, steps, cores, samples = events.shape
    most, busy = np.empty((2, samples))
    which = np.empty(samples, np.int64)
    for t in range(steps):
        busiest[t], which[:] = 0.0, -1
        for n in range(loads.shape[1]):
            carried[t, n] += total(loads[t, n])
            for b in range(samples):
                if loads[t, n, b] > busiest[t, b]:
                    busiest[t, b], which[b] = loads[t, n, b], n
        for bound in range(bounds):
            most[:] = -1.0
            for core in range(cores):
                memory, compute = events[0, bound, t, core], events[1, bound, t, core]
                traffic, updating = events[2, bound, t, core], updates[bound, t, core]
                for b in range(samples):
                    busy[b] = _busy(memory[b], compute[b] + updating[b], traffic[b], serial[bound])
                work[bound, t, core] += total(busy)
                if bound == 1:
                    for b in range(samples):
                        if busy[b] > most[b]:
                            slowest_core[t, b] = core
                            largest = max(memory[b], compute[b] + updating[b], traffic[b])
                            slowest_load[t, b] = 0 if largest == memory[b] else 2 if largest == traffic[b] else 1
                for b in range(samples):
                    most[b] = max(most[b], busy[b])
            for b in range(samples):
                seconds = busiest[t, b] * link[bound]
                if seconds > most[b]:
                    most[b] = seconds
                    if bound == 1:
                        slowest_core[t, b] = -1
                if busiest[t, b] > 0:
                    most[b] += flight[bound]
            step[bound, t] += total(most) + least[bound] * samples
        for b in range(samples):
            if slowest_core[t, b] < 0:
                slowest_link[which[b]] += 1
            else:
                slowest[slowest_core[t, b]] += 1


@njit(cache=True, nogil=True)
def add_shares(
    exact, updates, starts, parts_of, factors, load_of, serial,
    slowest_core, slowest_load, busiest, link, flight, shares,
):  # fmt: skip
    """Sum over samples what steps consist of: shares (N + 3, steps).

    The time of the slowest core on each of N kinds, part of the loads load_of (N,), and on updates: of its largest
    load, slowest_load (steps, samples), all, of others the share serial. Or that of the busiest link, busiest (steps,
    samples) at link where slowest_core is negative; then flight where any message takes a link. Core c has
    parts_of[starts[c] : starts[c + 1]].
    """
    kinds, steps, _, samples = exact.shape
    for t in range(steps):
        for b in range(samples):
            core = slowest_core[t, b]
            if busiest[t, b] > 0:
                shares[kinds + 2, t] += flight
            if core < 0:
                shares[kinds + 1, t] += busiest[t, b] * link
                continue
            load = slowest_load[t, b]
            shares[kinds, t] += updates[t, core, b] * (1.0 if load == 1 else serial)
            for n in range(starts[core], starts[core + 1]):
                for kind in range(kinds):
                    part = 1.0 if load_of[kind] == load else serial
                    shares[kind, t] += part * factors[kind] * exact[kind, t, parts_of[n], b]


@njit(cache=True, nogil=True)
def pipelined_seconds(events, updates, loads, serial, period, least, link, flight, step):
    """Seconds between answers, (3,), summed over samples, each `period` steps after the previous one.

    In each of these steps the tails of earlier samples run concurrently: their events and loads add up, updates happen
    once. step: seconds of every step alone, (3, steps), summed over samples; used where no other sample runs.
    """
    _, bounds, steps, cores, samples = events.shape
    seconds = np.zeros(bounds)
    most, memory, compute, traffic, updating = np.empty((5, samples))
    for t in range(period):
        if t + period >= steps:
            seconds += step[:, t]
            continue
        turns = (steps - t + period - 1) // period
        busiest = np.zeros(samples)
        for n in range(loads.shape[1]):
            for b in range(samples):
                carried = loads[t, n, b]
                for turn in range(1, turns):
                    carried += loads[t + turn * period, n, (b - turn) % samples]
                busiest[b] = max(busiest[b], carried)
        for bound in range(bounds):
            for b in range(samples):
                most[b] = busiest[b] * link[bound]
            for core in range(cores):
                memory[:], compute[:] = events[0, bound, t, core], events[1, bound, t, core]
                traffic[:], updating[:] = events[2, bound, t, core], updates[bound, t, core]
                for turn in range(1, turns):
                    # the sample `turn` before each, cyclically
                    late, behind = t + turn * period, turn % samples
                    for b in range(samples):
                        before = b - behind if b >= behind else b - behind + samples
                        memory[b] += events[0, bound, late, core, before]
                        compute[b] += events[1, bound, late, core, before]
                        traffic[b] += events[2, bound, late, core, before]
                        updating[b] = max(updating[b], updates[bound, late, core, before])
                for b in range(samples):
                    most[b] = max(most[b], _busy(memory[b], compute[b] + updating[b], traffic[b], serial[bound]))
            for b in range(samples):
                most[b] += flight[bound] if busiest[b] > 0 else 0.0
            seconds[bound] += total(most) + least[bound] * samples
    return seconds
