"""Compiled loops over a sequence for layers that read each other: forward in the chip's integers, and its gradients.

Rows of `layers` are (first, end, kind, first synapse, end of synapses) of neurons side by side, and rows of `synapses`
are (first source, end, first target, end, lag, place in `weights`). weights: matrices one after the other, forward as
(sources, targets), backward as (targets, sources). Kinds of neurons: 0 resets to 0, 1 subtracts, 2 sends its voltage.
"""

from __future__ import annotations

import numpy as np

from spikeport.common.compiled import njit
from spikeport.hardware_profiles.fixed_point import STATE_UNIT, WordWidths

_LIMIT = WordWidths().state_max


@njit(cache=True, nogil=True, error_model="numpy")
def loop_forward(a, weights, layers, synapses, constants, u, v, over, sent, start, stop):
    """Run the samples start:stop through all steps, all layers in each; the arithmetic is that of chip_kernels.py.

    a: (T, B, N), input from outside; constants: (7, N) of bias, keep_u, keep_v, threshold, subtracted, 1 / unit and
    what a sent voltage is multiplied by; u, v: (B, N) float64, the state before and after; over: v minus threshold, in
    units, before the reset.
    """
    steps, _, size = a.shape
    low, high = np.float64(-_LIMIT), np.float64(_LIMIT)
    bias, keep_u, keep_v, threshold, subtracted, unit, shift = constants
    total = np.zeros(size, a.dtype)
    for b in range(start, stop):
        for t in range(steps):
            for layer in range(len(layers)):
                first, end, kind, synapse, last = layers[layer]
                for n in range(first, end):
                    total[n] = a[t, b, n]
                for s in range(synapse, last):
                    source, beyond, target, until, lag, place = synapses[s]
                    if t < lag:
                        continue
                    width = until - target
                    for n in range(source, beyond):
                        value = sent[t - lag, b, n]
                        if value != 0:
                            row = place + (n - source) * width
                            for m in range(width):
                                total[target + m] += value * weights[row + m]
                for n in range(first, end):
                    current = np.float64(np.int32(u[b, n] * keep_u[n])) + total[n] * STATE_UNIT
                    voltage = np.float64(np.int32(v[b, n] * keep_v[n])) + current + bias[n]
                    voltage = min(max(voltage, low), high)
                    u[b, n] = current
                    if kind == 2:
                        v[b, n] = voltage
                        sent[t, b, n] = np.float64(np.int32(voltage * shift[n]))
                        continue
                    excess = voltage - threshold[n]
                    over[t, b, n] = excess * unit[n]
                    sent[t, b, n] = 1 if excess > 0 else 0
                    if excess > 0:
                        voltage = 0.0 if kind == 0 else voltage - subtracted[n]
                    v[b, n] = voltage


@njit(cache=True, nogil=True, error_model="numpy")
def loop_backward(
    to_sent, weights, layers, synapses, slopes, kept, keep_u, keep_v, to_current, to_voltage, start, stop
):
    """Gradients of the samples start:stop for u and v of every step, given those for what was sent.

    to_sent: (T, B, N), overwritten with what it is when all readers are counted; slopes: of what is sent for v;
    kept: of v after its reset for v before it.
    """
    steps, _, size = to_sent.shape
    total, unit = np.zeros(size, to_sent.dtype), to_sent.dtype.type(STATE_UNIT)
    for b in range(start, stop):
        for t in range(steps - 1, -1, -1):
            for layer in range(len(layers) - 1, -1, -1):
                first, end, _, synapse, last = layers[layer]
                for n in range(first, end):
                    voltage = slopes[t, b, n] * to_sent[t, b, n]
                    current = voltage
                    if t + 1 < steps:
                        voltage += kept[t, b, n] * (keep_v[n] * to_voltage[t + 1, b, n])
                        current = voltage + keep_u[n] * to_current[t + 1, b, n]
                    to_voltage[t, b, n] = voltage
                    to_current[t, b, n] = current
                for s in range(synapse, last):
                    source, beyond, target, until, lag, place = synapses[s]
                    if t < lag:
                        continue
                    width = beyond - source
                    total[:width] = 0
                    for m in range(target, until):
                        gradient = to_current[t, b, m] * unit
                        if gradient != 0:
                            row = place + (m - target) * width
                            for n in range(width):
                                total[n] += weights[row + n] * gradient
                    for n in range(width):
                        to_sent[t - lag, b, source + n] += total[n]
