"""Threshold or weight correction for the rounded leak of v.

A constant input I brings v from 0 in n steps to I S(d, n), where

    S(d, n) = (1 - (1 - d)^n) / d,   S(0, n) = n

So a neuron whose decay d is rounded to d' spikes in the same step if its threshold is multiplied by S(d', n) / S(d, n):
by 1 where strong input makes it spike at once, by d / d' in the limit of weak input. n is the number of steps between
two spikes on sample input; without a sample it is 1, as most spikes come from input that leaves v no time to leak. A
population that sends v divides its weights and biases by this factor instead; n is then the number of steps of the
sample or, without one, a time constant, 1 / d.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spikeport.exporter.float_network.float_network import FloatPopulation, Floats
from spikeport.exporter.program.chip_program import Integers
from spikeport.hardware_profiles.fixed_point import decay_from_dv

# factors nearer to 1 belong to decays that are integers, stored in 32 bit
_FLOAT32_ERROR = 1e-6


def leak_factors(population: FloatPopulation, dv: Integers, interval: float | None) -> Floats:
    """S(d', n) / S(d, n) of each neuron, (size,); interval: n, None without a sample."""
    decay = population.voltage_decay
    if interval is not None:
        steps = np.full(decay.shape, max(interval, 1.0))
    elif population.sends == "voltage":
        steps = 1 / np.where(decay > 0, decay, 1.0)
    else:
        steps = np.ones(decay.shape)
    factors = _summed(decay_from_dv(dv), steps) / _summed(decay, steps)
    return np.where(np.abs(factors - 1) > _FLOAT32_ERROR, factors, 1.0)


def with_rounded_leak(population: FloatPopulation, factors: Floats) -> FloatPopulation:
    """The population with corrected thresholds (or biases) and its original decays."""
    if population.sends == "voltage":
        return replace(population, bias=population.bias / factors)
    return replace(population, threshold=population.threshold * factors, v_initial=population.v_initial * factors)


def _summed(decay: Floats, steps: Floats) -> Floats:
    """S(decay, steps)."""
    leaks = decay > 0
    safe_decay = np.where(leaks, decay, 1.0)
    with np.errstate(divide="ignore"):
        log_remaining = np.log1p(-safe_decay)
    return np.where(leaks, -np.expm1(steps * log_remaining) / safe_decay, steps)
