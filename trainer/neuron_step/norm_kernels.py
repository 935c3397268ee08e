"""Batch norm and the neuron after it in one pass each way, as compiled loops on arrays (T, B, R, L).

The neurons of a sample lie in memory as places x channels, channels innermost, here cut into R rows of L values, L a
multiple of the number of channels: what is per channel is repeated to a row, so that inner loops are long. Sums are of
single precision within a step of a sample and of double precision beyond it, per sample: they do not depend on the
threads.
"""

from __future__ import annotations

import numpy as np

from spikeport.common.compiled import njit

from .kernels import by_surrogate, slope_at


@njit(cache=True, nogil=True, error_model="numpy")
def sums(x, shift, partial, start, stop):
    """partial[:, b] += the sums of d = x - shift and of d * d over time and places; shift: (L,); partial: (2, B, L)."""
    steps, _, rows, length = x.shape
    row = np.empty((2, length), x.dtype)
    for b in range(start, stop):
        for t in range(steps):
            row[:] = 0
            for r in range(rows):
                for j in range(length):
                    d = x[t, b, r, j] - shift[j]
                    row[0, j] += d
                    row[1, j] += d * d
            for j in range(length):
                partial[0, b, j] += row[0, j]
                partial[1, b, j] += row[1, j]


@njit(cache=True, nogil=True, error_model="numpy")
def forward(x, constants, keep, threshold, s, start, stop):
    """i = x * gain + offset; v[t] = w[t-1] * keep + i[t]; s = v > threshold; w = v where s = 0, else 0.

    constants: gain and offset, (2 or more, L), in one array, because LLVM only vectorises loops over few arrays.
    """
    steps, _, rows, length = x.shape
    one, zero = x.dtype.type(1), x.dtype.type(0)
    state = np.empty((rows, length), x.dtype)
    for b in range(start, stop):
        state[:] = 0
        for t in range(steps):
            for r in range(rows):
                for j in range(length):
                    voltage = state[r, j] * keep + (x[t, b, r, j] * constants[0, j] + constants[1, j])
                    fires = voltage > threshold
                    s[t, b, r, j] = one if fires else zero
                    state[r, j] = zero if fires else voltage


def _backward(surrogate):
    @njit(cache=True, nogil=True, error_model="numpy")
    def backward(gradient, x, constants, keep, threshold, height, factor, rate, out, partial, start, stop):
        """d/di[t] of a loss whose slopes for s are `gradient`, as kernels.fire_backward, and their sums.

        v is computed again, which costs less than reading it from memory. constants: gain, offset and mean, (3, L);
        partial[:, b] += the sums of out and of out * (x - mean) over time and places, (2, B, L).
        """
        steps, _, rows, length = x.shape
        zero = x.dtype.type(0)
        over = np.empty((steps, rows, length), x.dtype)
        state, later = np.empty((rows, length), x.dtype), np.empty((rows, length), x.dtype)
        row = np.empty((2, length), x.dtype)
        for b in range(start, stop):
            state[:] = 0
            for t in range(steps):
                for r in range(rows):
                    for j in range(length):
                        voltage = state[r, j] * keep + (x[t, b, r, j] * constants[0, j] + constants[1, j])
                        over[t, r, j] = voltage - threshold
                        state[r, j] = zero if voltage > threshold else voltage
            later[:] = 0
            for t in range(steps - 1, -1, -1):
                row[:] = 0
                for r in range(rows):
                    for j in range(length):
                        d = over[t, r, j]
                        after = zero if d > zero else later[r, j]
                        error = gradient[t, b, r, j] * (height * slope_at(surrogate, d, factor, rate)) + after
                        later[r, j] = keep * error
                        out[t, b, r, j] = error
                    for j in range(length):
                        error = out[t, b, r, j]
                        row[0, j] += error
                        row[1, j] += error * (x[t, b, r, j] - constants[2, j])
                for j in range(length):
                    partial[0, b, j] += row[0, j]
                    partial[1, b, j] += row[1, j]

    return backward


BACKWARD = by_surrogate(_backward)


@njit(cache=True, nogil=True, error_model="numpy")
def through_statistics(x, constants, out, start, stop):
    """d/dx of the loss for its slopes `out` for i, written over them: gain * out - (x - mean) * spread - middle.

    constants: gain, mean, spread and middle, (4, L).
    """
    steps, _, rows, length = x.shape
    for b in range(start, stop):
        for t in range(steps):
            for r in range(rows):
                for j in range(length):
                    centred = x[t, b, r, j] - constants[1, j]
                    out[t, b, r, j] = constants[0, j] * out[t, b, r, j] - centred * constants[2, j] - constants[3, j]
