"""Counts for the profiler: spikes by part of a core, synapses accessed, the parts that an element reaches."""

from __future__ import annotations

import numpy as np

from spikeport.common.compiled import njit

from .bits import number_of_bits, set_bytes

_WORD = 64


@njit(cache=True, nogil=True)
def count_bytes(values, first, starts, stops, slots, counted):
    """Count nonzero values (steps, all samples, size) from sample `first` on into counted (steps, parts, samples).

    values: bytes, row after row. Elements [start, stop) of a run are on one part.
    """
    _, samples, size = values.shape
    flat = values.reshape(-1)
    for t in range(min(len(values), len(counted))):
        for b in range(counted.shape[2]):
            row = (t * samples + first + b) * size
            for r in range(len(starts)):
                position, stop, total = row + starts[r], row + stops[r], 0
                while position < stop and position + _WORD <= len(flat):
                    word = set_bytes(flat, position)
                    if stop - position < _WORD:
                        # mask bytes after the run
                        word &= (np.uint64(1) << np.uint64(stop - position)) - np.uint64(1)
                    total += int(number_of_bits(word))
                    position += _WORD
                for i in range(position, stop):
                    total += flat[i] != 0
                counted[t, slots[r], b] += total


@njit(cache=True, nogil=True)
def count_payloads(values, first, starts, stops, slots, counted):
    """The same for payloads, which take more than a byte."""
    for t in range(min(len(values), len(counted))):
        for b in range(counted.shape[2]):
            row = values[t, first + b]
            for r in range(len(starts)):
                total = 0
                for i in range(starts[r], stops[r]):
                    total += row[i] != 0
                counted[t, slots[r], b] += total


@njit(cache=True, nogil=True)
def add_numbers(values, first, starts, stops, slots, counted):
    """The same for numbers of spikes: their sums."""
    for t in range(len(counted)):
        for b in range(counted.shape[2]):
            row = values[t, first + b]
            for r in range(len(starts)):
                total = 0
                for i in range(starts[r], stops[r]):
                    total += row[i]
                counted[t, slots[r], b] += total


@njit(cache=True, nogil=True)
def bound_active(spikes, own, feeding, self_driven, sizes, bounds):
    """Write bounds (3, steps, parts, samples) of active updates for the parts own[0] to own[1] (excluded).

    From those that spike to all, typically all; none in a sample in which no `feeding` part (parts,) spikes, unless the
    population is driven by its own bias or start voltage.
    """
    steps, parts, samples = spikes.shape
    moved = np.full(samples, 1.0 if self_driven else 0.0)
    if not self_driven:
        for t in range(steps):
            for p in range(parts):
                if feeding[p]:
                    for b in range(samples):
                        moved[b] = max(moved[b], min(spikes[t, p, b], 1.0))
    # sample by sample: the compiler takes 3 s for assignments of whole rows, whose shapes it has to compare
    for t in range(steps):
        for p in range(own[0], own[1]):
            for b in range(samples):
                bounds[0, t, p, b] = spikes[t, p, b]
                bounds[1, t, p, b] = bounds[2, t, p, b] = sizes[p] * moved[b]


@njit(cache=True, nogil=True)
def follow_spikes(
    values, first, numbers, indptr, targets, synapses, slots, hops, chip_hops, synops, received, sent, hopped, crossed
):
    """Count the effects of nonzero values (steps, all samples, size) on the parts reached; numbers: of spikes, not 0/1.

    The last five are (steps, parts, samples), from sample `first` on.
    """
    for t in range(min(len(values), len(synops))):
        for b in range(synops.shape[2]):
            row = values[t, first + b]
            for i in range(len(row)):
                if row[i] == 0:
                    continue
                spikes = row[i] if numbers else 1
                start, stop = indptr[i], indptr[i + 1]
                for p in range(start, stop):
                    synops[t, targets[p], b] += spikes * synapses[p]
                    received[t, targets[p], b] += spikes
                sent[t, slots[i], b] += spikes * (stop - start)
                hopped[t, slots[i], b] += spikes * hops[i]
                crossed[t, slots[i], b] += spikes * chip_hops[i]


@njit(cache=True, nogil=True)
def reached_by_convolution(
    stored, input_shape, output_shape, stride, padding, dilation, slots, tally, indptr, targets, synapses
):
    """Fill indptr (source size + 1,), and, if they are not empty, the parts that each element reaches and how often.

    stored: which kernel elements are stored, shaped as the weights; slots: the part of every output element; tally:
    zeros, as many as parts.
    """
    channels, height, width = input_shape
    outs, rows, columns = output_shape
    inside = stored.shape[1]
    per_group = outs // (channels // inside)
    touched = tally.copy()
    entry = 0
    for source in range(channels * height * width):
        channel, position = divmod(source, height * width)
        row, column = divmod(position, width)
        group, c = divmod(channel, inside)
        reached = 0
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
                            touched[reached] = slot
                            reached += 1
                        tally[slot] += 1
        for t in range(reached):
            if len(targets) > 0:
                targets[entry + t] = touched[t]
                synapses[entry + t] = tally[touched[t]]
            tally[touched[t]] = 0
        entry += reached
        indptr[source + 1] = entry
