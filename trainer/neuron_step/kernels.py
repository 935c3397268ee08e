"""A neuron's recurrences over time as compiled loops, forward and backward, on arrays (T, B, N).

The step repeats dynamics.py operation by operation, so results are bit-identical. Each kernel runs the samples
start:stop of the batch and releases the GIL, so that groups of samples run in threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from spikeport.common.compiled import njit
from spikeport.common.prefetch import prefetch_row_to_write


@njit(cache=True, nogil=True, error_model="numpy")
def filter_forward(a, keep, initial, u, start, stop):
    """u[t] = u[t-1] * keep + a[t], with u[-1] = initial."""
    steps, _, size = a.shape
    for t in range(steps):
        for b in range(start, stop):
            prefetch_row_to_write(u, t, b, stop)
            if t == 0:
                for n in range(size):
                    u[t, b, n] = initial[b, n] * keep[n] + a[t, b, n]
            else:
                for n in range(size):
                    u[t, b, n] = u[t - 1, b, n] * keep[n] + a[t, b, n]


@njit(cache=True, nogil=True, error_model="numpy")
def filter_backward(gradient, keep, out, start, stop):
    """d/da[t] of a loss whose slopes for u are `gradient`: out[t] = gradient[t] + keep * out[t+1]."""
    steps, _, size = gradient.shape
    for t in range(steps - 1, -1, -1):
        for b in range(start, stop):
            prefetch_row_to_write(out, t, b, stop)
            if t == steps - 1:
                for n in range(size):
                    out[t, b, n] = gradient[t, b, n]
            else:
                for n in range(size):
                    out[t, b, n] = gradient[t, b, n] + keep[n] * out[t + 1, b, n]


@njit(cache=True, nogil=True, error_model="numpy")
def fire_forward(v, constants, state, s, start, stop):
    """v[t] = w[t-1] * keep + (i[t] + bias); s[t] = v[t] > threshold; w[t] = v[t] where s[t] = 0, else 0.

    v: i, overwritten by v; constants: bias, keep and threshold, (3, N), in one array, because LLVM only vectorises
    loops over few arrays; state: w[-1], overwritten by w[T-1].
    """
    steps, _, size = v.shape
    one, zero = v.dtype.type(1), v.dtype.type(0)
    for t in range(steps):
        for b in range(start, stop):
            prefetch_row_to_write(s, t, b, stop)
            if t == 0:
                for n in range(size):
                    voltage = state[b, n] * constants[1, n] + (v[t, b, n] + constants[0, n])
                    v[t, b, n] = voltage
                    s[t, b, n] = one if voltage > constants[2, n] else zero
            else:
                for n in range(size):
                    before = zero if v[t - 1, b, n] > constants[2, n] else v[t - 1, b, n]
                    voltage = before * constants[1, n] + (v[t, b, n] + constants[0, n])
                    v[t, b, n] = voltage
                    s[t, b, n] = one if voltage > constants[2, n] else zero
    for b in range(start, stop):
        for n in range(size):
            state[b, n] = zero if v[steps - 1, b, n] > constants[2, n] else v[steps - 1, b, n]


# constants are passed as arguments of the arrays' type: a literal would make everything float64


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def atan_slope(x, factor, rate):
    """surrogates.atan with factor = 0.5 / width and rate = 0.5 pi / width: factor / (1 + (rate x)**2)."""
    y = x * rate
    return factor / (y * y + type(x)(1))


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def fast_sigmoid_slope(x, factor, rate):
    """surrogates.fast_sigmoid with factor = 1 and rate = 1 / width: 1 / (1 + rate |x|)**2."""
    y = factor + abs(x) * rate
    return factor / (y * y)


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def triangle_slope(x, factor, rate):
    """surrogates.triangle with factor = 1 and rate = 1 / width: max(0, 1 - rate |x|)."""
    y = factor - abs(x) * rate
    return y if y > type(x)(0) else type(x)(0)


SLOPES: dict[str, tuple[int, Callable[[float], tuple[float, float]]]] = {
    "atan": (0, lambda width: (0.5 / width, 0.5 * math.pi / width)),
    "fast_sigmoid": (1, lambda width: (1.0, 1 / width)),
    "triangle": (2, lambda width: (1.0, 1 / width)),
}
"""By surrogate: its number in slope_at, and factor and rate for a width."""


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def slope_at(number, x, factor, rate):
    """The slope of the surrogate with this number in SLOPES."""
    if number == 0:
        return atan_slope(x, factor, rate)
    if number == 1:
        return fast_sigmoid_slope(x, factor, rate)
    return triangle_slope(x, factor, rate)


def by_surrogate(make: Callable[[int], Any]) -> dict[str, Any]:
    """A kernel for each surrogate, which `make` compiles for its number.

    A number, not a function, is what a kernel may close over: code that was compiled for a function of an earlier
    process is not found again in the cache on disk.
    """
    return {name: make(number) for name, (number, _) in SLOPES.items()}


def _fire_backward(surrogate):
    @njit(cache=True, nogil=True, error_model="numpy")
    def fire_backward(gradient, v, constants, factor, rate, state, start, stop):
        """d/di[t] of a loss whose slopes for s are g = `gradient`.

        out[t] = g[t] * slope(v[t] - threshold) + (keep * out[t+1] where s[t] = 0)

        v: overwritten by the result; constants: keep and threshold, (2, N); factor, rate: see SLOPES; state: d/dw[T-1],
        passed back by a later segment of the sequence.
        """
        steps, _, size = gradient.shape
        zero = gradient.dtype.type(0)
        for t in range(steps - 1, -1, -1):
            for b in range(start, stop):
                prefetch_row_to_write(v, t, b, stop)
                if t == steps - 1:
                    for n in range(size):
                        x = v[t, b, n] - constants[1, n]
                        v[t, b, n] = gradient[t, b, n] * slope_at(surrogate, x, factor, rate) + (
                            zero if x > zero else state[b, n]
                        )
                else:
                    for n in range(size):
                        x = v[t, b, n] - constants[1, n]
                        later = zero if x > zero else constants[0, n] * v[t + 1, b, n]
                        v[t, b, n] = gradient[t, b, n] * slope_at(surrogate, x, factor, rate) + later

    return fire_backward


FIRE_BACKWARD = by_surrogate(_fire_backward)
