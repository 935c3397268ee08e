"""The membrane of TSSL-BP and its errors through firing times as compiled loops on arrays (T, B, N).

firing_times.fire gives the equations; its torch operations are the reference.
"""

from __future__ import annotations

import numpy as np

from spikeport.common.compiled import njit

from .firing_rule import SILENT, STEEPEST, WARM_CUT, WARM_WIDTH


@njit(cache=True, nogil=True, error_model="numpy")
def forward(current, constants, v, s, start, stop):
    """v[t] = w[t-1] * keep + current[t]; s = v - threshold > 0; w = v where s = 0, else 0.

    constants: keep and threshold, (2, N).
    """
    steps, _, neurons = current.shape
    one, zero = current.dtype.type(1), current.dtype.type(0)
    state = np.empty(neurons, current.dtype)
    for b in range(start, stop):
        state[:] = 0
        for t in range(steps):
            for n in range(neurons):
                voltage = state[n] * constants[0, n] + current[t, b, n]
                fires = voltage - constants[1, n] > zero
                v[t, b, n] = voltage
                s[t, b, n] = one if fires else zero
                state[n] = zero if fires else voltage


@njit(cache=True, nogil=True, error_model="numpy")
def backward(gradient, v, s, constants, out, start, stop):
    """The errors at the current for those at the spikes, `gradient`.

    constants: current_decay, voltage_decay and threshold, (3, N). What is not differentiated, the rise of v and whether
    a neuron is silent, is computed again, which costs less than reading it from memory.
    """
    steps, _, neurons = v.shape
    number = v.dtype.type
    one, zero = number(1), number(0)
    rises, silent = np.empty((steps, neurons), v.dtype), np.empty((steps, neurons), np.bool_)
    state, potential, error = np.empty(neurons, v.dtype), np.empty(neurons, v.dtype), np.empty(neurons, v.dtype)
    for b in range(start, stop):
        state[:] = 0
        potential[:] = 0
        for t in range(steps):
            for n in range(neurons):
                rises[t, n] = v[t, b, n] - state[n]
                trace = potential[n] * (one - constants[0, n]) + s[t, b, n]
                silent[t, n] = trace < number(SILENT)
                potential[n] = trace
                state[n] = v[t, b, n] * (one - s[t, b, n])
        error[:] = 0
        for t in range(steps - 1, -1, -1):
            for n in range(neurons):
                fired, decay = s[t, b, n], constants[1, n]
                rise = rises[t, n]
                steep = min(one / rise, number(STEEPEST) / constants[2, n]) if rise > zero else zero
                slope = fired * steep
                within = decay * v[t, b, n] * slope + (one - decay) * (one - fired)
                error[n] = slope * gradient[t, b, n] + within * error[n]
                out[t, b, n] = error[n]
            for n in range(neurons):
                if silent[t, n]:
                    width = number(WARM_WIDTH) * constants[2, n]
                    power = (v[t, b, n] - constants[2, n]) / width
                    power = min(max(power, number(-WARM_CUT)), number(WARM_CUT))
                    grown = np.exp(-power)
                    out[t, b, n] = gradient[t, b, n] * grown / ((one + grown) * (one + grown)) / width
