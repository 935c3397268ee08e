"""Seconds of every step from counts of events: the work of each core, and the slowest one.

Samples are the innermost axis, so that the compiler vectorises over them.
"""

from __future__ import annotations

import numpy as np

from spikeport.common.compiled import njit

from .reductions import add_product, total


@njit(cache=True, nogil=True)
def core_seconds(exact, active, sizes, core_of, factors, with_input, without, events, updates, summed, summed_active):
    """Write to events and updates, (3, steps, cores, samples), the seconds of the parts on each core; sum over samples.

    exact: counts of N kinds (N, steps, parts, samples), at factors (3, N); active: active updates (3, steps, parts,
    samples) at with_input, the rest of sizes (parts,) at without, (3,) each. core_of: (parts,), negative for inputs.
    summed (N, steps, parts) and summed_active (3, steps, parts) are the sums over samples.
    """
    kinds, steps, parts, _ = exact.shape
    for t in range(steps):
        events[:, t], updates[:, t] = 0.0, 0.0
        for p in range(parts):
            core = core_of[p]
            for kind in range(kinds):
                count_sum = total(exact[kind, t, p])
                summed[kind, t, p] += count_sum
                if count_sum != 0 and core >= 0:
                    for bound in range(3):
                        add_product(events[bound, t, core], exact[kind, t, p], factors[bound, kind])
            if core < 0:
                continue
            for bound in range(3):
                row = updates[bound, t, core]
                summed_active[bound, t, p] += total(active[bound, t, p])
                add_product(row, active[bound, t, p], with_input[bound] - without[bound])
                row += without[bound] * sizes[p]


@njit(cache=True, nogil=True)
def add_steps(events, updates, least, work, step, slowest, slowest_core):
    """Sum over samples: busy seconds work (3, steps, cores), step (3, steps) with least (3,), slowest (cores,).

    slowest_core: by the second bound, (steps, samples).
    """
    bounds, steps, cores, samples = events.shape
    most, busy = np.empty((2, samples))
    for bound in range(bounds):
        for t in range(steps):
            most[:] = -1.0
            for core in range(cores):
                one, other = events[bound, t, core], updates[bound, t, core]
                for b in range(samples):
                    busy[b] = one[b] + other[b]
                work[bound, t, core] += total(busy)
                if bound == 1:
                    for b in range(samples):
                        slowest_core[t, b] = core if busy[b] > most[b] else slowest_core[t, b]
                for b in range(samples):
                    most[b] = max(most[b], busy[b])
            step[bound, t] += total(most) + least[bound] * samples
            if bound == 1:
                for b in range(samples):
                    slowest[slowest_core[t, b]] += 1


@njit(cache=True, nogil=True)
def add_shares(exact, updates, starts, parts_of, factors, slowest_core, shares):
    """Sum over samples the time of the slowest cores on each of N kinds and on updates: shares (N + 1, steps).

    Core c has parts_of[starts[c] : starts[c + 1]].
    """
    kinds, steps, _, samples = exact.shape
    for t in range(steps):
        for b in range(samples):
            core = slowest_core[t, b]
            shares[kinds, t] += updates[t, core, b]
            for n in range(starts[core], starts[core + 1]):
                for kind in range(kinds):
                    shares[kind, t] += factors[kind] * exact[kind, t, parts_of[n], b]


@njit(cache=True, nogil=True)
def pipelined_seconds(events, updates, period, least, step):
    """Seconds between answers, (3,), summed over samples, each `period` steps after the previous one.

    In each of these steps the tails of earlier samples run concurrently: their events add up, updates happen once.
    step: seconds of every step alone, (3, steps), summed over samples; used where no other sample runs.
    """
    bounds, steps, cores, samples = events.shape
    seconds = np.zeros(bounds)
    most, busy, updating = np.empty((3, samples))
    for bound in range(bounds):
        for t in range(period):
            if t + period >= steps:
                seconds[bound] += step[bound, t]
                continue
            most[:] = 0.0
            for core in range(cores):
                busy[:], updating[:] = events[bound, t, core], updates[bound, t, core]
                for turn in range(1, (steps - t + period - 1) // period):
                    # the sample `turn` before each, cyclically
                    late, behind = t + turn * period, turn % samples
                    for b in range(samples):
                        before = b - behind if b >= behind else b - behind + samples
                        busy[b] += events[bound, late, core, before]
                        updating[b] = max(updating[b], updates[bound, late, core, before])
                for b in range(samples):
                    most[b] = max(most[b], busy[b] + updating[b])
            seconds[bound] += total(most) + least[bound] * samples
    return seconds
