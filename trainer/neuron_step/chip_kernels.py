"""Compiled loop over a sequence for the chip's neuron, in the integers of hardware_profiles/fixed_point.py."""

from __future__ import annotations

import numpy as np

from spikeport.common.compiled import njit
from spikeport.hardware_profiles.fixed_point import STATE_UNIT, WordWidths

from .kernels import by_surrogate, slope_at

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
    # all steps of a sample in turn: its u and v stay in the cache
    for b in range(start, stop):
        _run_sample(a, b, bias, keep_u, keep_v, threshold, unit, u[b], v[b], over, s)


@njit(cache=True, nogil=True, error_model="numpy")
def chip_forward_from_rest(a, bias, keep_u, keep_v, threshold, unit, over, s, start, stop):
    """As chip_forward for neurons at rest, whose last state is not asked for."""
    u, v = np.empty(a.shape[2]), np.empty(a.shape[2])
    for b in range(start, stop):
        u[:] = 0.0
        v[:] = 0.0
        _run_sample(a, b, bias, keep_u, keep_v, threshold, unit, u, v, over, s)


@njit(cache=True, nogil=True, error_model="numpy")
def chip_forward_unfiltered(a, bias, keep_v, threshold, unit, v, over, s, start, stop):
    """As chip_forward for keep_u = 0, so that u = 64 a."""
    for b in range(start, stop):
        _run_sample_unfiltered(a, b, bias, keep_v, threshold, unit, v[b], over, s)


@njit(cache=True, nogil=True, error_model="numpy")
def chip_forward_unfiltered_from_rest(a, bias, keep_v, threshold, unit, over, s, start, stop):
    """As chip_forward_from_rest for keep_u = 0."""
    v = np.empty(a.shape[2])
    for b in range(start, stop):
        v[:] = 0.0
        _run_sample_unfiltered(a, b, bias, keep_v, threshold, unit, v, over, s)


@njit(cache=True, nogil=True, error_model="numpy")
def _run_sample(a, b, bias, keep_u, keep_v, threshold, unit, u, v, over, s):
    """One sample; u, v: (N,)."""
    steps, _, size = a.shape
    low, high = np.float64(-_LIMIT), np.float64(_LIMIT)
    one, zero = s.dtype.type(1), s.dtype.type(0)
    for t in range(steps):
        # two loops: one with all writes to memory is not vectorised
        for n in range(size):
            current = np.float64(np.int32(u[n] * keep_u[n])) + a[t, b, n] * STATE_UNIT
            voltage = np.float64(np.int32(v[n] * keep_v[n])) + current + bias[n]
            voltage = min(max(voltage, low), high)
            beyond = voltage - threshold[n]
            u[n] = current
            over[t, b, n] = beyond * unit
            v[n] = 0.0 if beyond > 0.0 else voltage
        for n in range(size):
            s[t, b, n] = one if over[t, b, n] > zero else zero


@njit(cache=True, nogil=True, error_model="numpy")
def _run_sample_unfiltered(a, b, bias, keep_v, threshold, unit, v, over, s):
    """One sample; v: (N,)."""
    steps, _, size = a.shape
    low, high = np.float64(-_LIMIT), np.float64(_LIMIT)
    one, zero = s.dtype.type(1), s.dtype.type(0)
    for t in range(steps):
        for n in range(size):
            voltage = np.float64(np.int32(v[n] * keep_v[n])) + a[t, b, n] * STATE_UNIT + bias[n]
            voltage = min(max(voltage, low), high)
            beyond = voltage - threshold[n]
            over[t, b, n] = beyond * unit
            v[n] = 0.0 if beyond > 0.0 else voltage
        for n in range(size):
            s[t, b, n] = one if over[t, b, n] > zero else zero


def _chip_backward(surrogate):
    @njit(cache=True, nogil=True, error_model="numpy")
    def chip_backward(gradient, over, keep, height, factor, rate, unit, out, partial, start, stop):
        """The slopes of a loss for the input a of v, given those for the spikes, and their sums per sample.

        e[t] = g[t] height slope(over[t]) + (keep e[t+1] where over[t] <= 0);  out = e unit

        gradient, over, out: (T, B, R, L), a sample's neurons in rows; keep: (R, L); partial[b] += the sums of e over
        time and rows, (B, L) float64; factor, rate: see kernels.SLOPES.
        """
        steps, _, rows, length = over.shape
        zero = over.dtype.type(0)
        later = np.empty((rows, length), over.dtype)
        summed = np.empty(length, over.dtype)
        for b in range(start, stop):
            later[:] = 0
            for t in range(steps - 1, -1, -1):
                summed[:] = 0
                for r in range(rows):
                    for j in range(length):
                        d = over[t, b, r, j]
                        after = zero if d > zero else later[r, j]
                        error = gradient[t, b, r, j] * (height * slope_at(surrogate, d, factor, rate)) + after
                        later[r, j] = keep[r, j] * error
                        out[t, b, r, j] = error * unit
                        summed[j] += error
                for j in range(length):
                    partial[b, j] += summed[j]

    return chip_backward


CHIP_BACKWARD = by_surrogate(_chip_backward)


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
