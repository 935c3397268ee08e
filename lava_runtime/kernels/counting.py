"""Counts for the profiler: spikes by part of a core, synapses that spikes find, the parts that an element reaches."""

from __future__ import annotations

import numpy as np
from numba import njit

_BLOCK = 64


@njit(cache=True, nogil=True)
def count_spikes(values, first, begins, ends, slots, counted):
    """Add what is not 0 in values (steps, all samples, size) to counted (steps, samples, parts), `first` its first one.

    Elements [begin, end) of a run lie on one part. Blocks of a fixed length are summed in bytes, which the compiler
    does 64 at a time.
    """
    for t in range(min(len(values), len(counted))):
        for b in range(counted.shape[1]):
            row = values[t, first + b]
            for r in range(len(begins)):
                piece, total = row[begins[r] : ends[r]], 0
                whole = len(piece) // _BLOCK * _BLOCK
                for start in range(0, whole, _BLOCK):
                    block = np.uint8(0)
                    for i in range(_BLOCK):
                        block = np.uint8(block + np.uint8(piece[start + i] != 0))
                    total += block
                for i in range(whole, len(piece)):
                    total += piece[i] != 0
                counted[t, b, slots[r]] += total


@njit(cache=True, nogil=True)
def add_numbers(values, first, begins, ends, slots, counted):
    """The same with numbers of spikes: their sums."""
    for t in range(len(counted)):
        for b in range(counted.shape[1]):
            row = values[t, first + b]
            for r in range(len(begins)):
                total = 0
                for i in range(begins[r], ends[r]):
                    total += row[i]
                counted[t, b, slots[r]] += total


@njit(cache=True, nogil=True)
def bound_active(spikes, own, feeding, moves, sizes, bounds):
    """Write bounds (3, steps, samples, parts) of active updates for the parts own[0] to own[1] (excluded).

    From those that spike to all sizes, typically all; none in a sample in which no part that is `feeding` (parts,)
    spikes, unless the population moves by itself.
    """
    for b in range(spikes.shape[1]):
        moved = moves
        for t in range(spikes.shape[0]):
            if moved:
                break
            for p in range(spikes.shape[2]):
                if feeding[p] and spikes[t, b, p] > 0:
                    moved = True
        for t in range(spikes.shape[0]):
            for p in range(own[0], own[1]):
                bounds[0, t, b, p] = spikes[t, b, p]
                bounds[1, t, b, p] = bounds[2, t, b, p] = sizes[p] if moved else 0.0


@njit(cache=True, nogil=True)
def follow_alike(spikes, own, targets, synapses, hops, chip_hops, synops, received, sent, hopped, crossed):
    """Follow spikes (steps, samples, parts) of the parts own[0] to own[1] (excluded), all alike, to those of targets.

    synapses: of an element on each target; hops, chip_hops: from each own part to all targets together.
    """
    for t in range(spikes.shape[0]):
        for b in range(spikes.shape[1]):
            total = 0.0
            for n in range(own[1] - own[0]):
                found = spikes[t, b, own[0] + n]
                total += found
                sent[t, b, own[0] + n] += found * len(synapses)
                hopped[t, b, own[0] + n] += found * hops[n]
                crossed[t, b, own[0] + n] += found * chip_hops[n]
            for n in range(len(synapses)):
                synops[t, b, targets[0] + n] += total * synapses[n]
                received[t, b, targets[0] + n] += total


@njit(cache=True, nogil=True)
def follow_spikes(
    values, first, numbers, indptr, targets, synapses, slots, hops, chip_hops, synops, received, sent, hopped, crossed
):
    """Follow what is not 0 in values (steps, all samples, size) to the parts it reaches; numbers: of spikes, not 0/1.

    The last five are (steps, samples, parts), `first` their first sample.
    """
    for t in range(min(len(values), len(synops))):
        for b in range(synops.shape[1]):
            row = values[t, first + b]
            for i in range(len(row)):
                if row[i] == 0:
                    continue
                spikes = row[i] if numbers else 1
                begin, end = indptr[i], indptr[i + 1]
                for p in range(begin, end):
                    synops[t, b, targets[p]] += spikes * synapses[p]
                    received[t, b, targets[p]] += spikes
                sent[t, b, slots[i]] += spikes * (end - begin)
                hopped[t, b, slots[i]] += spikes * hops[i]
                crossed[t, b, slots[i]] += spikes * chip_hops[i]


@njit(cache=True, nogil=True)
def reached_by_convolution(
    stored, input_shape, output_shape, stride, padding, dilation, slots, tally, indptr, targets, synapses
):
    """Fill indptr (source size + 1,), and, where there is room, the parts that each element reaches and how often.

    stored: which of the kernel's elements are kept, as its weights; slots: the part of every output element; tally:
    zeros, as many as parts.
    """
    channels, height, width = input_shape
    outs, rows, columns = output_shape
    inside = stored.shape[1]
    per_group = outs // (channels // inside)
    touched = tally.copy()
    entry = 0
    for source in range(channels * height * width):
        channel, place = divmod(source, height * width)
        row, column = divmod(place, width)
        group, c = divmod(channel, inside)
        found = 0
        for i in range(stored.shape[2]):
            y, rest = divmod(row + padding[0] - i * dilation[0], stride[0])
            if rest != 0 or y < 0 or y >= rows:
                continue
            for j in range(stored.shape[3]):
                x, rest = divmod(column + padding[1] - j * dilation[1], stride[1])
                if rest != 0 or x < 0 or x >= columns:
                    continue
                for o in range(group * per_group, (group + 1) * per_group):
                    if stored[o, c, i, j]:
                        slot = slots[(o * rows + y) * columns + x]
                        if tally[slot] == 0:
                            touched[found] = slot
                            found += 1
                        tally[slot] += 1
        for t in range(found):
            if len(targets) > 0:
                targets[entry + t] = touched[t]
                synapses[entry + t] = tally[touched[t]]
            tally[touched[t]] = 0
        entry += found
        indptr[source + 1] = entry
