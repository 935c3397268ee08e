"""The float simulation's loops, in numba: event by event and neuron by neuron."""

from __future__ import annotations

import numpy as np

from spikeport.common.compiled import njit


@njit(cache=True, nogil=True)
def scatter(pointers, targets, values, sent, total):
    """Add the weights of what was sent, (batch, sources); weights: one row per source, as in a csr_array."""
    for b in range(sent.shape[0]):
        for i in range(sent.shape[1]):
            if sent[b, i]:
                factor = np.float64(sent[b, i])
                for n in range(pointers[i], pointers[i + 1]):
                    total[b, targets[n]] += values[n] * factor


@njit(cache=True, nogil=True)
def advance_spiking(u, v, total, keep_u, keep_v, bias, threshold, subtract, subtracted, sent):
    """One step of spiking neurons, (batch, size), see float_network.py; u, v and sent are replaced."""
    for b in range(u.shape[0]):
        for i in range(u.shape[1]):
            current = u[b, i] * keep_u[i] + total[b, i]
            voltage = v[b, i] * keep_v[i] + current + bias[i]
            spike = voltage > threshold[i]
            u[b, i] = current
            sent[b, i] = spike
            if spike:
                voltage = voltage - subtracted[i] if subtract else 0.0
            v[b, i] = voltage
