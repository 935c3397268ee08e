"""The leak of v: what rounding it changes, and the thresholds or weights that make up for it.

A constant input I brings v from 0 in n steps to I S(d, n), where

    S(d, n) = (1 - (1 - d)^n) / d,   S(0, n) = n

So a neuron whose decay d is rounded to d' spikes in the same step if its threshold is multiplied by
S(d', n) / S(d, n): by 1 where strong input makes it spike at once, by d / d' where it waits for ever. n is the steps
between two spikes that sample input shows; without a sample it is 1, for most spikes come from input that leaves v no
time to leak. A population that sends v keeps it by weights and biases divided by the same; n is then the steps of the
sample, or else a time constant, 1 / d.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spikeport.exporter.float_network.float_network import FloatPopulation, Floats
from spikeport.exporter.program.chip_program import Integers
from spikeport.hardware_profiles.fixed_point import decay_from_dv

# factors nearer to 1 are those of decays that are whole, kept in 32 bit
_KEPT = 1e-6


def leak_factors(population: FloatPopulation, dv: Integers, interval: float | None) -> Floats:
    """S(d', n) / S(d, n) of each neuron, (size,); interval: n, None where no sample says it."""
    decay = population.voltage_decay
    if interval is not None:
        steps = np.full(decay.shape, max(interval, 1.0))
    elif population.sends == "voltage":
        steps = 1 / np.where(decay > 0, decay, 1.0)
    else:
        steps = np.ones(decay.shape)
    factors = _summed(decay_from_dv(dv), steps) / _summed(decay, steps)
    return np.where(np.abs(factors - 1) > _KEPT, factors, 1.0)


def with_rounded_leak(population: FloatPopulation, factors: Floats) -> FloatPopulation:
    """The population with the thresholds (or biases) that make up for it; decays as they were."""
    if population.sends == "voltage":
        return replace(population, bias=population.bias / factors)
    return replace(population, threshold=population.threshold * factors, v_initial=population.v_initial * factors)


def _summed(decay: Floats, steps: Floats) -> Floats:
    """S(decay, steps)."""
    leaks = decay > 0
    share = np.where(leaks, decay, 1.0)
    with np.errstate(divide="ignore"):
        kept = np.log1p(-share)
    return np.where(leaks, -np.expm1(steps * kept) / share, steps)
