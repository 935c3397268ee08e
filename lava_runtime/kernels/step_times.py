"""Seconds of every step from counts of events: what each core does, and which one all others wait for."""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def core_seconds(exact, active, sizes, core_of, factors, with_input, without, events, updates, summed, summed_active):
    """Write to events and updates, (3, steps, samples, cores), what the parts on each core take; add up the samples.

    exact: counts of N kinds (N, steps, samples, parts), at factors (3, N); active: active updates (3, steps, samples,
    parts) at with_input, the rest of sizes (parts,) at without, (3,) each. core_of: (parts,), negative for inputs.
    summed (N, steps, parts) and summed_active (3, steps, parts) are the sums over samples.
    """
    kinds, steps, samples, parts = exact.shape
    for t in range(steps):
        for b in range(samples):
            events[:, t, b] = 0.0
            updates[:, t, b] = 0.0
            for p in range(parts):
                core = core_of[p]
                low, typical, high = 0.0, 0.0, 0.0
                for kind in range(kinds):
                    count = exact[kind, t, b, p]
                    if count != 0:
                        summed[kind, t, p] += count
                        low += factors[0, kind] * count
                        typical += factors[1, kind] * count
                        high += factors[2, kind] * count
                if core < 0:
                    continue
                events[0, t, b, core] += low
                events[1, t, b, core] += typical
                events[2, t, b, core] += high
                for bound in range(3):
                    found = active[bound, t, b, p]
                    summed_active[bound, t, p] += found
                    updates[bound, t, b, core] += with_input[bound] * found + without[bound] * (sizes[p] - found)


@njit(cache=True, nogil=True)
def add_steps(events, updates, least, work, step, slowest, chosen):
    """Sum over samples: busy seconds work (3, steps, cores), step (3, steps) with least (3,), slowest (cores,).

    chosen: the core that takes longest by the second bound, (steps, samples).
    """
    for bound in range(3):
        for t in range(events.shape[1]):
            for b in range(events.shape[2]):
                most, place = -1.0, 0
                for core in range(events.shape[3]):
                    busy = events[bound, t, b, core] + updates[bound, t, b, core]
                    work[bound, t, core] += busy
                    if busy > most:
                        most, place = busy, core
                step[bound, t] += most + least[bound]
                if bound == 1:
                    chosen[t, b] = place
                    slowest[place] += 1


@njit(cache=True, nogil=True)
def add_shares(exact, updates, core_of, factors, chosen, shares):
    """Sum over samples what the chosen cores spend on each of N kinds and on updates: shares (N + 1, steps)."""
    kinds, steps, samples, parts = exact.shape
    for t in range(steps):
        for b in range(samples):
            core = chosen[t, b]
            for p in range(parts):
                if core_of[p] == core:
                    for kind in range(kinds):
                        shares[kind, t] += factors[kind] * exact[kind, t, b, p]
            shares[kinds, t] += updates[t, b, core]


@njit(cache=True, nogil=True)
def pipelined_seconds(events, updates, period, least):
    """Seconds from answer to answer, (3,), summed over samples, each `period` steps behind the one before it.

    In every one of these steps the tails of earlier samples run beside it: their events add up, updates happen once.
    """
    bounds, steps, samples, cores = events.shape
    total = least * period * samples
    for bound in range(bounds):
        for t in range(period):
            for b in range(samples):
                most = 0.0
                if t + period >= steps:
                    for core in range(cores):
                        most = max(most, events[bound, t, b, core] + updates[bound, t, b, core])
                    total[bound] += most
                    continue
                for core in range(cores):
                    busy, updating = 0.0, 0.0
                    for turn in range((steps - t + period - 1) // period):
                        late, before = t + turn * period, (b - turn) % samples
                        busy += events[bound, late, before, core]
                        updating = max(updating, updates[bound, late, before, core])
                    most = max(most, busy + updating)
                total[bound] += most
    return total
