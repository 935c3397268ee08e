"""The emulator's integer kernels: one time step of a batch, in numba, bit for bit what stock Lava computes.

Shapes: state arrays (batch, size) int32; spikes (batch, size) uint8; active lists (batch, size) int32 with one count a
sample. The kernels run without threads of their own and release the interpreter's lock: the emulator runs groups of
samples in threads, the Lava processes run beside each other.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def list_active(values, active, count, payload):
    """Collect the indices (and payloads) of the elements that are not zero, a sample."""
    for b in range(values.shape[0]):
        k = 0
        for i in range(values.shape[1]):
            if values[b, i] != 0:
                active[b, k] = i
                payload[b, k] = values[b, i]
                k += 1
        count[b] = k


@njit(cache=True, nogil=True)
def update(u, v, a, keep_u, keep_v, bias, threshold, spikes, active, count, total):
    """One step of every compartment; `a` is used up (set to 0), spikes and their indices are put out.

    keep_u = (4096 - (du + 1)) / 4096 and keep_v = (4096 - dv) / 4096 are exact in float64, and so is their product with
    a 32-bit state (at most 45 bits); conversion to an integer rounds toward zero, as the chip does.
    """
    for b in range(u.shape[0]):
        for i in range(u.shape[1]):
            current = np.int32(np.float64(u[b, i]) * keep_u[i]) + np.int32(a[b, i] << 6)
            current = np.int32(current)
            # one wrap only, and exactly as lava.proc.lif does it: 2**23 itself stays
            if current > 8388608:
                current = np.int32(current - 16777216)
            elif current <= -8388608:
                current = np.int32(current + 16777216)
            u[b, i] = current
            a[b, i] = 0
            voltage = np.int32(np.int32(np.float64(v[b, i]) * keep_v[i]) + current + bias[i])
            voltage = min(max(voltage, np.int32(-8388607)), np.int32(8388607))
            spike = voltage > threshold[i]
            spikes[b, i] = spike
            v[b, i] = np.int32(0) if spike else voltage
        k = 0
        for i in range(u.shape[1]):
            if spikes[b, i]:
                active[b, k] = i
                total[b, i] += 1
                k += 1
        count[b] = k


@njit(cache=True, nogil=True)
def dense(weights, exponent, active, count, target):
    """Add the weights of the active sources, shifted by the exponent; weights (source size, target size) int16.

    Four rows at a time: the sums are then read and written a quarter as often (2.3 x as fast).
    """
    size = weights.shape[1]
    for b in range(target.shape[0]):
        total = np.zeros(size, np.int32)
        fours = count[b] // 4 * 4
        for k in range(0, fours, 4):
            row0, row1 = weights[active[b, k]], weights[active[b, k + 1]]
            row2, row3 = weights[active[b, k + 2]], weights[active[b, k + 3]]
            for j in range(size):
                total[j] += np.int32(row0[j]) + np.int32(row1[j]) + np.int32(row2[j]) + np.int32(row3[j])
        for k in range(fours, count[b]):
            row = weights[active[b, k]]
            for j in range(size):
                total[j] += row[j]
        _shift_into(total, exponent, target[b])


@njit(cache=True, nogil=True)
def dense_payload(weights, exponent, active, count, payload, target):
    """The same for graded spikes: each source's weights times its payload."""
    size = weights.shape[1]
    for b in range(target.shape[0]):
        total = np.zeros(size, np.int64)
        for k in range(count[b]):
            row = weights[active[b, k]]
            factor = np.int64(payload[b, k])
            for j in range(size):
                total[j] += row[j] * factor
        _shift_into(total, exponent, target[b])


@njit(cache=True, nogil=True)
def conv(
    weights, exponent, input_shape, output_shape, stride, padding, dilation, groups, active, count, payload, target
):
    """Add the shifted kernel of every active source; weights (in channels, height, width, out channels / groups) int32.

    The sum is wrapped to 24 bit as lava.proc.conv does (utils.signed_clamp). No unfolding: the inner loop runs over
    the output channels of one place.
    """
    channels = output_shape[0] // groups
    for b in range(target.shape[0]):
        total = np.zeros((groups, output_shape[1], output_shape[2], channels), np.int64)
        for k in range(count[b]):
            place = active[b, k]
            factor = np.int64(payload[b, k])
            column = place % input_shape[2]
            row = (place // input_shape[2]) % input_shape[1]
            channel = place // (input_shape[2] * input_shape[1])
            group = channel // (input_shape[0] // groups)
            for ky in range(weights.shape[1]):
                y = row + padding[0] - ky * dilation[0]
                if y < 0 or y % stride[0] != 0 or y // stride[0] >= output_shape[1]:
                    continue
                for kx in range(weights.shape[2]):
                    x = column + padding[1] - kx * dilation[1]
                    if x < 0 or x % stride[1] != 0 or x // stride[1] >= output_shape[2]:
                        continue
                    kernel = weights[channel, ky, kx]
                    sums = total[group, y // stride[0], x // stride[1]]
                    for o in range(channels):
                        sums[o] += kernel[o] * factor
        places = output_shape[1] * output_shape[2]
        for g in range(groups):
            for o in range(channels):
                for y in range(output_shape[1]):
                    for x in range(output_shape[2]):
                        value = np.int64(np.int32(total[g, y, x, o] << exponent))
                        value = ((value + 8388608) & 16777215) - 8388608
                        index = (g * channels + o) * places + y * output_shape[2] + x
                        target[b, index] += np.int32(value)


@njit(cache=True, inline="always")
def _shift_into(total, exponent, target):
    if exponent >= 0:
        for j in range(total.shape[0]):
            target[j] += np.int32(total[j] << exponent)
    else:
        for j in range(total.shape[0]):
            target[j] += np.int32(total[j] >> -exponent)


def keep_fraction(decay: NDArray[np.int32]) -> NDArray[np.float64]:
    """The fraction kept a step, (4096 - decay) / 4096, exact in float64."""
    return (4096 - decay.astype(np.float64)) / 4096.0


def warm_up() -> None:
    """Compile (or load from the cache) every kernel on one element, so that threads and forked processes need not."""
    one = np.zeros((1, 1), np.int32)
    bits, count, keep = np.zeros((1, 1), np.uint8), np.zeros(1, np.int32), np.zeros(1)
    for values in (one, bits):
        list_active(values, one, count, one)
    update(one, one, one, keep, keep, count, count, bits, one, count, one)
    weights = np.zeros((1, 1), np.int16)
    dense(weights, 0, one, count, one)
    dense_payload(weights, 0, one, count, one, one)
    kernel = np.zeros((1, 1, 1, 1), np.int32)
    conv(kernel, 0, (1, 1, 1), (1, 1, 1), (1, 1), (0, 0), (1, 1), 1, one, count, one, one)
