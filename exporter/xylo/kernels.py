"""One block of time steps of a Xylo network, sample by sample (exporter/neurons/xylo/neurons.py has the equations).

States and weights are int16, of which a vector instruction holds the most; sums saturate in such instructions (paddsw),
and a shift to the right is the upper half of a product (pmulhw), so that every neuron has one of its own. Arrays are
padded to whole vectors by neurons that nothing reaches and that never send (kernel_constants.py).
"""

from __future__ import annotations

import numpy as np

from spikeport.common.compiled import njit

_LOW, _HIGH, _HALF = np.int32(-32768), np.int32(32767), np.int32(16)


@njit(cache=True, nogil=True, inline="always")
def _sum(a, b):
    """The saturated sum."""
    return np.int16(min(max(np.int32(a) + np.int32(b), _LOW), _HIGH))


@njit(cache=True, nogil=True, inline="always")
def _decay(x, factor, halves, all_of_it):
    """x >> dash, or the sign of x where that is 0; factor: 2**(16 - dash) from dash 2 on, the others: masks of 1 and 0.

    A negative x loses 1 there anyway.
    """
    lost = np.int16((np.int32(x) * np.int32(factor)) >> _HALF)
    lost = np.int16(lost | np.int16(np.int16(np.int32(x) >> np.int32(1)) & halves) | np.int16(x & all_of_it))
    return np.int16(lost + np.int16((lost == 0) & (x > 0)))


@njit(cache=True, nogil=True, inline="always")
def _add_row(currents, row, events):
    """Add a row of weights, event after event."""
    for _ in range(events):
        for j in range(len(row)):
            currents[j] = _sum(currents[j], row[j])


@njit(cache=True, nogil=True, inline="always")
def _add_listed(currents, targets, weights, first, last, events):
    """Add the weights of a list of targets, event after event."""
    for _ in range(events):
        for k in range(first, last):
            j = targets[k]
            currents[j] = _sum(currents[j], weights[k])


@njit(cache=True, nogil=True)
def _step(i, v, constants, reached):
    """Currents, then voltages, of neurons; reached: which voltages are at their threshold.

    constants: rows of the decays of i and v, three each, bias and threshold. The register of a decay wraps: at
    v = -32768 and dash 0 it holds -32768 and not 32768.
    """
    for j in range(len(v)):
        x = i[j]
        x = np.int16(x - _decay(x, constants[0, j], constants[1, j], constants[2, j]))
        i[j] = x
        y = v[j]
        lost = np.int16(-np.int32(_decay(y, constants[3, j], constants[4, j], constants[5, j])))
        y = _sum(y, _sum(_sum(lost, x), constants[6, j]))
        v[j] = y
        reached[j] = np.int8(y >= constants[7, j])


@njit(cache=True, nogil=True)
def _step_of_two(i, i_2, v, constants, second, reached):
    """As _step, with a second current, whose decay's rows are `second`; the sum of both saturates once, with v's."""
    for j in range(len(v)):
        x, x_2, y = i[j], i_2[j], v[j]
        x = np.int16(x - _decay(x, constants[0, j], constants[1, j], constants[2, j]))
        x_2 = np.int16(x_2 - _decay(x_2, second[0, j], second[1, j], second[2, j]))
        i[j], i_2[j] = x, x_2
        lost = np.int16(-np.int32(_decay(y, constants[3, j], constants[4, j], constants[5, j])))
        change = np.int16(min(max(np.int32(lost) + np.int32(x) + np.int32(x_2), _LOW), _HIGH))
        y = _sum(y, _sum(change, constants[6, j]))
        v[j] = y
        reached[j] = np.int8(y >= constants[7, j])


@njit(cache=True, nogil=True, inline="always")
def _fire(v, threshold, reached, words, active_words, who, events, most, active):
    """Events of the neurons that reached their threshold, whose numbers go into `who`; returns how many they are.

    words: eight of `reached` at a time.
    """
    # without branches, which would be guessed wrong
    busy, count = np.int64(0), np.int64(0)
    for word in range(len(words)):
        active_words[busy] = word
        busy += np.int64(words[word] != 0)
    for n in range(busy):
        first = 8 * np.int64(active_words[n])
        for j in range(first, first + 8):
            who[count] = j
            count += reached[j]
    for k in range(count):
        j = who[k]
        n = 0
        while v[j] >= threshold[j] and n < most:
            v[j] = np.int16(v[j] - threshold[j])
            n += 1
        events[j] = n
        active[j] += 1
    return count


@njit(cache=True, nogil=True)
def _fire_with_aliases(v, threshold, aliases, who, events, most, active):
    """As _fire, in order: an alias may add to a neuron that comes later before that one sends its own."""
    for j in range(len(aliases)):
        if v[j] >= threshold[j]:
            n = events[j]
            while v[j] >= threshold[j] and n < most:
                v[j] = np.int16(v[j] - threshold[j])
                n += 1
            events[j] = n
        if aliases[j] >= 0 and events[j] > 0:
            events[aliases[j]] = min(events[aliases[j]] + events[j], most)
    count = 0
    for j in range(len(aliases)):
        if events[j] > 0:
            who[count] = j
            count += 1
            active[j] += 1
    return count


@njit(cache=True, nogil=True)
def run(
    x, most_in, w_in, w_in_2, rows, rows_2, starts, targets, listed, listed_2, w_out, constants, second, aliases, most,
    most_out, together, i, i_2, v, who, count, events, who_out, events_out, steps, sent, sent_out, active, active_out,
    states, states_out,
):  # fmt: skip
    """Advance the states of every sample by a block of steps; x: events (steps, samples, inputs).

    The neurons of a sample are its hidden ones and then its outputs. w_in (inputs, hidden), rows (hidden, neurons):
    shifted weights. Where `rows` is empty, those between hidden neurons are lists, of source q from starts[q] on, and
    those to outputs w_out (hidden, outputs). Names with _2 and `second`: of the second synapse, empty where no neuron
    uses it. constants: as _step takes them, for as many samples as are stepped `together`; aliases: empty without any.
    i to events_out: states (samples, size); who, count, events: the hidden neurons that sent in the step before, their
    number (samples,) and their events. sent, sent_out: events (steps, samples, size); active, active_out: steps with
    any, to which the block's are added, (samples, size). sent, states (3, steps, samples, hidden) and states_out
    (2, ...) are written unless they have no steps. Sizes are padded, but for those of x, sent, sent_out and the states
    that are written.
    """
    _, samples, inputs = x.shape
    neurons, outputs = sent.shape[2], sent_out.shape[2]
    two, as_rows = len(w_in_2) > 0, len(rows) > 0
    size, width = active.shape[1], v.shape[1]
    threshold, threshold_out = constants[7, :size], constants[7, size:width]
    all_i, all_i_2, all_v = i.reshape(-1), i_2.reshape(-1), v.reshape(-1)
    reached = np.zeros(constants.shape[1], np.int8)
    words = reached.view(np.uint64)
    entering, active_words = np.zeros(inputs + 1, np.uint32), np.zeros(width // 8 + 1, np.uint32)
    sent_out[:steps] = 0
    for begin in range(0, samples, together):
        beyond = min(begin + together, samples)
        now = slice(begin * width, beyond * width)
        for t in range(steps):
            for b in range(begin, beyond):
                # without branches, which would be guessed wrong
                entered = np.int64(0)
                for p in range(inputs):
                    entering[entered] = p
                    entered += np.int64(x[t, b, p] != 0)
                for k in range(entered):
                    p = entering[k]
                    n = min(np.int64(x[t, b, p]), most_in)
                    _add_row(i[b], w_in[p], n)
                    if two:
                        _add_row(i_2[b], w_in_2[p], n)
                for k in range(count[b] if as_rows else 0):
                    q = who[b, k]
                    n = np.int64(events[b, q])
                    events[b, q] = 0
                    _add_row(i[b], rows[q], n)
                    if two:
                        _add_row(i_2[b], rows_2[q], n)
                for k in range(0 if as_rows else count[b]):
                    q = who[b, k]
                    n = np.int64(events[b, q])
                    events[b, q] = 0
                    _add_listed(i[b], targets, listed, starts[q], starts[q + np.uint32(1)], n)
                    if two:
                        _add_listed(i_2[b], targets, listed_2, starts[q], starts[q + np.uint32(1)], n)
                    _add_row(i[b, size:], w_out[q], n)
            if two:
                _step_of_two(all_i[now], all_i_2[now], all_v[now], constants, second, reached)
            else:
                _step(all_i[now], all_v[now], constants, reached)
            for b in range(begin, beyond):
                place = (b - begin) * width
                if len(aliases):
                    count[b] = _fire_with_aliases(v[b], threshold, aliases, who[b], events[b], most, active[b])
                else:
                    count[b] = _fire(
                        v[b], threshold, reached[place:], words[place // 8 : (place + size) // 8], active_words, who[b],
                        events[b], most, active[b],
                    )  # fmt: skip
                place_out = place + size
                fired = _fire(
                    v[b, size:], threshold_out, reached[place_out:], words[place_out // 8 : (place + width) // 8],
                    active_words, who_out[b], events_out[b], most_out, active_out[b],
                )  # fmt: skip
                for k in range(fired):
                    sent_out[t, b, who_out[b, k]] = events_out[b, who_out[b, k]]
                if len(sent):
                    for j in range(neurons):
                        sent[t, b, j] = events[b, j]
                if states.shape[1]:
                    for j in range(neurons):
                        states[0, t, b, j] = i[b, j]
                        states[1, t, b, j] = i_2[b, j]
                        states[2, t, b, j] = v[b, j]
                    for j in range(outputs):
                        states_out[0, t, b, j] = i[b, size + j]
                        states_out[1, t, b, j] = v[b, size + j]
