"""How sparse a spiking network must be for the chip to need less energy than something else.

    energy(activity) = silent + activity * (now - silent)

silent: the same run without a spike; now: as it ran, activity 1. What lies between grows with activity (synaptic
operations, spikes, messages, and the time that they add to the slowest core): the line meets the opponent there.
"""

from __future__ import annotations


def break_even_activity(silent: float, now: float, opponent: float) -> float | None:
    """The activity, in multiples of the present one, at which the chip needs what the opponent does.

    None where no activity is low enough: the chip needs more although nothing spikes.
    """
    if opponent <= silent:
        return None
    if now <= silent:
        return float("inf")
    return (opponent - silent) / (now - silent)


def break_even_sparsity(silent: float, now: float, opponent: float, sparsity: float) -> float | None:
    """The share of silent neuron steps that the network needs for the chip to win; None where none is enough.

    sparsity: the present share. 0 means that it wins however much it spikes.
    """
    activity = break_even_activity(silent, now, opponent)
    return None if activity is None else max(0.0, 1 - (1 - sparsity) * activity)
