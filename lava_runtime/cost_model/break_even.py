"""How sparse a spiking network must be for the chip to need less energy than an opponent.

    energy(activity) = silent + activity * (now - silent)

silent: the same run without a spike; now: as it ran, activity 1. The difference grows with activity (synaptic
operations, spikes, messages, and the time that they add to the slowest core); break-even is where the line meets the
opponent.
"""

from __future__ import annotations


def break_even_activity(silent: float, now: float, opponent: float) -> float | None:
    """The activity, in multiples of the present one, at which the chip needs as much as the opponent.

    None if no activity is low enough: the chip needs more even without spikes.
    """
    if opponent <= silent:
        return None
    if now <= silent:
        return float("inf")
    return (opponent - silent) / (now - silent)


def break_even_sparsity(silent: float, now: float, opponent: float, sparsity: float) -> float | None:
    """The share of silent neuron steps that the network needs for the chip to win; None if none is enough.

    sparsity: the present share. 0 means that it wins at any activity.
    """
    activity = break_even_activity(silent, now, opponent)
    return None if activity is None else max(0.0, 1 - (1 - sparsity) * activity)
