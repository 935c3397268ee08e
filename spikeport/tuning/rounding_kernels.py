"""Compiled loops of rounding.py: what a neuron's weights are multiplied by, and the search for the best integers."""

from __future__ import annotations

import numpy as np

from spikeport.common.compiled import njit


@njit(cache=True, nogil=True, error_model="numpy")
def traces(arriving, weights, keep_u, keep_v, threshold, lost, spikes, width):
    """By how much each weight of one neuron moves its v, (B * T, sources + 2), where that counts most.

    The last two columns: by how much a threshold lower by its own value does (and what is subtracted with it), and a
    bias of 1.

    arriving: (T, B, sources); spikes: (T, B), the neuron's own, which set its v to 0, or lower it by `lost` if that is
    not 0. Rows are weighted by the root of 1 / (1 + (x / width)**2), x: the distance of v from the threshold, relative
    to it; an infinite threshold weights all alike.
    """
    steps, samples, sources = arriving.shape
    out = np.empty((steps * samples, sources + 2), np.float32)
    limit = threshold if np.isfinite(threshold) else 0.0
    u, v = np.empty(sources), np.empty(sources)
    row = 0
    for b in range(samples):
        u[:] = 0
        v[:] = 0
        paid, biased = 0.0, 0.0
        for t in range(steps):
            total = -paid * keep_v
            paid *= keep_v
            biased = biased * keep_v + 1.0
            for n in range(sources):
                u[n] = u[n] * keep_u + arriving[t, b, n]
                v[n] = v[n] * keep_v + u[n]
                total += weights[n] * v[n]
            near = 1.0
            if np.isfinite(threshold):
                near = 1 / np.sqrt(1 + ((total - threshold) / (threshold * width)) ** 2)
            for n in range(sources):
                out[row, n] = v[n] * near
            out[row, sources] = (limit + paid) * near
            out[row, sources + 1] = biased * near
            row += 1
            if spikes[t, b]:
                if lost == 0:
                    v[:] = 0
                    biased = 0.0
                else:
                    paid += lost
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def nearest_sum(wanted, products, points, first, last, sweeps):
    """Integers q that minimise (q - wanted)' products (q - wanted), one coordinate after the other, and that minimum.

    points: the grids, each in rising order, one after the other; those of weight n are first[n] to last[n].
    """
    size = len(wanted)
    chosen = np.empty(size, np.int64)
    error = np.empty(size)
    for n in range(size):
        chosen[n] = first[n] + np.argmin(np.abs(points[first[n] : last[n]] - wanted[n]))
        error[n] = points[chosen[n]] - wanted[n]
    slope = products @ error
    for _ in range(sweeps):
        changed = False
        for n in range(size):
            best, place = -1e-12, chosen[n]
            for other in range(max(first[n], chosen[n] - 2), min(last[n], chosen[n] + 3)):
                step = points[other] - points[chosen[n]]
                gain = 2 * step * slope[n] + step * step * products[n, n]
                if gain < best:
                    best, place = gain, other
            if place != chosen[n]:
                step = points[place] - points[chosen[n]]
                slope += products[:, n] * step
                error[n] += step
                chosen[n] = place
                changed = True
        if not changed:
            break
    return points[chosen], error @ slope
