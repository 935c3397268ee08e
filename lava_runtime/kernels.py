"""The emulator's integer kernels: what spikes add to where they arrive, in numba, bit for bit as in stock Lava.

Shapes: state arrays (batch, size) int32; spikes (batch, size) uint8; active lists (batch, size) int32 with one count a
sample. The kernels run without threads of their own and release the interpreter's lock: the emulator runs groups of
samples in threads, the Lava processes run beside each other.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numba import njit

from exporter.program import Population


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
def list_sent(sent, active, count, payload, total):
    """Collect what a population sent in this step, and count its spikes."""
    for b in range(sent.shape[0]):
        k = 0
        for i in range(sent.shape[1]):
            if sent[b, i] != 0:
                active[b, k] = i
                payload[b, k] = sent[b, i]
                total[b, i] += 1
                k += 1
        count[b] = k


@njit(cache=True, nogil=True)
def choose(active, count, payload, wanted, chosen, chosen_count, chosen_payload):
    """The active elements that are wanted (uint8, one an element)."""
    for b in range(active.shape[0]):
        k = 0
        for n in range(count[b]):
            if wanted[active[b, n]]:
                chosen[b, k] = active[b, n]
                chosen_payload[b, k] = payload[b, n]
                k += 1
        chosen_count[b] = k


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
def dense_payload(weights, exponent, wide, active, count, payload, target):
    """The same for graded spikes: each source's weights times its payload, in 32 bit; wide: summed in 64 bit."""
    size = weights.shape[1]
    for b in range(target.shape[0]):
        total = np.zeros(size, np.int64)
        for k in range(count[b]):
            row = weights[active[b, k]]
            factor = np.int64(payload[b, k])
            for j in range(size):
                total[j] += np.int32(row[j] * factor)
        if not wide:
            _keep_32_bit(total)
        _shift_into(total, exponent, target[b])


@njit(cache=True, nogil=True)
def sparse(pointers, targets, values, exponent, wide, active, count, payload, target):
    """Add the stored weights of the active sources, shifted by the exponent; the matrix lies a source a row.

    Products have 32 bit, as in lava.proc; wide: their sum has 64, as in DelayDense, else 32, as in Sparse.
    """
    for b in range(target.shape[0]):
        total = np.zeros(target.shape[1], np.int64)
        for k in range(count[b]):
            source, factor = active[b, k], np.int64(payload[b, k])
            for n in range(pointers[source], pointers[source + 1]):
                total[targets[n]] += np.int32(values[n] * factor)
        if not wide:
            _keep_32_bit(total)
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
def _keep_32_bit(total):
    for j in range(total.shape[0]):
        total[j] = np.int32(total[j])


@njit(cache=True, inline="always")
def _shift_into(total, exponent, target):
    if exponent >= 0:
        for j in range(total.shape[0]):
            target[j] += np.int32(total[j] << exponent)
    else:
        for j in range(total.shape[0]):
            target[j] += np.int32(total[j] >> -exponent)


def warm_up(populations: Iterable[Population]) -> None:
    """Compile (or load from the cache) every kernel that the populations and any connection need, before threads and
    forked processes run them.
    """
    one = np.zeros((1, 1), np.int32)
    bits, count = np.zeros((1, 1), np.uint8), np.zeros(1, np.int32)
    for values in (one, bits):
        list_active(values, one, count, one)
        list_sent(values, one, count, one, one)
    choose(one, count, one, bits[0], one, count, one)
    for population in populations:
        states = {name: np.zeros((1, population.size), np.int32) for name in population.STATES}
        ports = tuple(np.zeros((1, population.size), np.int32) for _ in population.PORTS)
        sent = np.zeros((1, population.size), np.int32 if population.GRADED else np.uint8)
        population.stepper()(0, states, ports, sent)
    weights = np.zeros((1, 1), np.int16)
    dense(weights, 0, one, count, one)
    dense_payload(weights, 0, False, one, count, one, one)
    sparse(np.zeros(2, np.int64), count, weights[0], 0, False, one, count, one, one)
    kernel = np.zeros((1, 1, 1, 1), np.int32)
    conv(kernel, 0, (1, 1, 1), (1, 1, 1), (1, 1), (0, 0), (1, 1), 1, one, count, one, one)
