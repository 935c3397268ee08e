"""Bounds of u and v of a population, in the network's units: the scale must leave room for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spikeport.exporter.float_network.float_network import FloatPopulation, Floats
from spikeport.hardware_profiles.fixed_point import DECAY_UNITY

from .weight_splitting import WeightMatrix, positive_and_negative


@dataclass(frozen=True)
class StateBounds:
    """The largest |u|, the largest -v and the largest v before a reset.

    basis: where they come from; measured: from sample input, with a margin, not for every possible input.
    """

    current: float
    lowest: float
    highest: float
    basis: str = "every synapse of one sign active in every step"
    measured: bool = False


@dataclass(frozen=True)
class Decays:
    """Fractions of u and v lost per step, as stored in the chip's words, (size,)."""

    current: Floats
    voltage: Floats


def currents(matrices: Sequence[WeightMatrix], values: Sequence[Floats], decays: Decays) -> tuple[Floats, Floats]:
    """The largest u and the largest -u that weights of these values can cause in each neuron."""
    up, down = np.zeros(decays.current.shape), np.zeros(decays.current.shape)
    for matrix, weights in zip(matrices, values, strict=True):
        positive, negative = positive_and_negative(matrix.weights, weights)
        positive, negative = positive * matrix.payload, negative * matrix.payload
        if matrix.signed:
            positive = negative = positive + negative
        up += np.repeat(positive, matrix.repeat)
        down += np.repeat(negative, matrix.repeat)
    return up / decays.current, down / decays.current


def worst_case(population: FloatPopulation, matrices: Sequence[WeightMatrix], decays: Decays) -> StateBounds:
    """Bounds for any input of spikes.

    v without leak has no bound; a leak of one register unit per step is assumed for it. With reset by subtraction v can
    stay above the threshold: its bound is where a step's input equals the threshold that it loses.
    """
    up, down = currents(matrices, [m.values for m in matrices], decays)
    leak = np.maximum(decays.voltage, 1 / DECAY_UNITY)
    rising, falling = up + np.maximum(population.bias, 0), down + np.maximum(-population.bias, 0)
    lowest = np.maximum(falling / leak, -population.v_initial)
    highest = np.zeros(population.size)
    if population.sends == "voltage":
        highest = np.maximum(rising / leak, population.v_initial)
    elif population.reset != "zero":
        threshold, subtracted_by_spike = population.threshold, population.subtracted
        highest = np.maximum(threshold + rising, (rising - (1 - leak) * subtracted_by_spike) / leak)
        # the subtracted amount is itself a register, and can leave v that far below the threshold
        highest, lowest = np.maximum(highest, subtracted_by_spike), np.maximum(lowest, subtracted_by_spike - threshold)
    return StateBounds(_largest(np.maximum(up, down)), _largest(lowest), _largest(highest))


def _largest(values: Floats) -> float:
    return max(float(values.max(initial=0)), 0.0)
