"""Energy of a day at N inferences an hour: what the inferences cost, and what the hardware draws while it waits.

    busy   = 24 * N * latency
    energy = 24 * N * energy of one inference + (86400 s - busy) * waiting

waiting: watts between two inferences, the sleep power where a source states it, else the idle power. The energy of an
inference includes idle power while it runs.
"""

from __future__ import annotations

from .estimate import Estimate

DAY = 86400.0
"""Seconds of a day."""


def energy_of_a_day(energy: Estimate, latency: Estimate, waiting: Estimate, per_hour: float) -> Estimate | None:
    """Joules of a day; None if the inferences take longer than a day by their typical latency."""
    inferences = 24 * per_hour
    if inferences * latency.typical > DAY:
        return None
    # the ends of latency are part of energy's; the rest of the day is hardly shorter for them
    bounds = zip(
        (energy.low, energy.typical, energy.high), (latency.low, latency.typical, latency.high),
        (waiting.low, waiting.typical, waiting.high), strict=True,
    )  # fmt: skip
    return Estimate(*(inferences * e + max(0.0, DAY - inferences * t) * w for e, t, w in bounds))


def waiting_power(static: Estimate, latency: Estimate, sleep: Estimate | None = None) -> Estimate:
    """Watts between two inferences: sleep, else the static share of an inference divided by its time."""
    if sleep is not None:
        return sleep
    pairs = ((static.low, latency.low), (static.typical, latency.typical), (static.high, latency.high))
    return Estimate(*(joules / seconds if seconds else 0.0 for joules, seconds in pairs))
