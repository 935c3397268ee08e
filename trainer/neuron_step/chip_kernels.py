"""Compiled loop over a sequence for the chip's neuron, in the integers of hardware_profiles/fixed_point.py."""

from __future__ import annotations

import numpy as np

from spikeport.common.compiled import njit
from spikeport.common.prefetch import prefetch_row_to_write
from spikeport.hardware_profiles.fixed_point import STATE_UNIT, WordWidths

_LIMIT = WordWidths().state_max


@njit(cache=True, nogil=True, error_model="numpy")
def chip_forward(a, bias, keep_u, keep_v, threshold, unit, u, v, over, s, start, stop):
    """Run the samples start:stop through all steps.

    u <- toward_zero(u keep_u) + 64 a;  v <- toward_zero(v keep_v) + u + bias, saturated;  s = v > threshold
    v <- 0 where s

    a: (T, B, N), whole numbers; bias, keep_u, keep_v, threshold: (N,) float64, in units of v; u, v: (B, N) float64, the
    state before and after; over: (v - threshold) * unit before the reset. Products are below 2**36, so float64 is
    exact; conversion to an integer rounds toward zero, as the chip does. u cannot wrap: the layer's scale rules that
    out.
    """
    steps, _, size = a.shape
    low, high = np.float64(-_LIMIT), np.float64(_LIMIT)
    one, zero = s.dtype.type(1), s.dtype.type(0)
    for t in range(steps):
        for b in range(start, stop):
            prefetch_row_to_write(over, t, b, stop)
            prefetch_row_to_write(s, t, b, stop)
            # two loops: one with all writes to memory is not vectorised
            for n in range(size):
                current = np.float64(np.int32(u[b, n] * keep_u[n])) + a[t, b, n] * STATE_UNIT
                voltage = np.float64(np.int32(v[b, n] * keep_v[n])) + current + bias[n]
                voltage = min(max(voltage, low), high)
                beyond = voltage - threshold[n]
                u[b, n] = current
                over[t, b, n] = beyond * unit
                v[b, n] = 0.0 if beyond > 0.0 else voltage
            for n in range(size):
                s[t, b, n] = one if over[t, b, n] > zero else zero


@njit(cache=True, nogil=True, error_model="numpy")
def chip_subtract(a, bias, keep_u, keep_v, threshold, subtracted, unit, u, v, over, s, start, stop):
    """As chip_forward, with v <- v - subtracted where s; subtracted: (N,) float64."""
    steps, _, size = a.shape
    low, high = np.float64(-_LIMIT), np.float64(_LIMIT)
    one, zero = s.dtype.type(1), s.dtype.type(0)
    for t in range(steps):
        for b in range(start, stop):
            for n in range(size):
                current = np.float64(np.int32(u[b, n] * keep_u[n])) + a[t, b, n] * STATE_UNIT
                voltage = np.float64(np.int32(v[b, n] * keep_v[n])) + current + bias[n]
                voltage = min(max(voltage, low), high)
                beyond = voltage - threshold[n]
                u[b, n] = current
                over[t, b, n] = beyond * unit
                v[b, n] = voltage - subtracted[n] if beyond > 0.0 else voltage
            for n in range(size):
                s[t, b, n] = one if over[t, b, n] > zero else zero


@njit(cache=True, nogil=True, error_model="numpy")
def chip_integrate(a, bias, keep_u, keep_v, unit, u, v, sent, start, stop):
    """As chip_forward for neurons without threshold: sent = toward_zero(v unit)."""
    steps, _, size = a.shape
    low, high = np.float64(-_LIMIT), np.float64(_LIMIT)
    for t in range(steps):
        for b in range(start, stop):
            for n in range(size):
                current = np.float64(np.int32(u[b, n] * keep_u[n])) + a[t, b, n] * STATE_UNIT
                voltage = np.float64(np.int32(v[b, n] * keep_v[n])) + current + bias[n]
                voltage = min(max(voltage, low), high)
                u[b, n] = current
                v[b, n] = voltage
                sent[t, b, n] = np.float64(np.int32(voltage * unit))
