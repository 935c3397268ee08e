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


@njit(cache=True, nogil=True)
def _add_row(currents, b, weights, p, events):
    """Add a row of weights, event after event."""
    for _ in range(events):
        for j in range(currents.shape[1]):
            currents[b, j] = _sum(currents[b, j], weights[p, j])


@njit(cache=True, nogil=True)
def _add_listed(currents, b, targets, weights, first, last, events):
    """Add the weights of a list of targets, event after event."""
    for _ in range(events):
        for k in range(first, last):
            j = targets[k]
            currents[b, j] = _sum(currents[b, j], weights[k])


@njit(cache=True, nogil=True)
def _step(i, v, b, constants, reached):
    """Currents, then voltages; reached: which voltages are at their threshold.

    constants: rows of the decays of i and v, three each, bias and threshold. The register of a decay wraps: at
    v = -32768 and dash 0 it holds -32768 and not 32768.
    """
    for j in range(i.shape[1]):
        x = i[b, j]
        x = np.int16(x - _decay(x, constants[0, j], constants[1, j], constants[2, j]))
        i[b, j] = x
        y = v[b, j]
        lost = np.int16(-np.int32(_decay(y, constants[3, j], constants[4, j], constants[5, j])))
        y = _sum(y, _sum(_sum(lost, x), constants[6, j]))
        v[b, j] = y
        reached[j] = np.int8(y >= constants[7, j])


@njit(cache=True, nogil=True)
def _step_of_two(i, i_2, v, b, constants, second, reached):
    """As _step, with a second current, whose decay's rows are `second`; the sum of both saturates once, with v's."""
    for j in range(i.shape[1]):
        x, x_2, y = i[b, j], i_2[b, j], v[b, j]
        x = np.int16(x - _decay(x, constants[0, j], constants[1, j], constants[2, j]))
        x_2 = np.int16(x_2 - _decay(x_2, second[0, j], second[1, j], second[2, j]))
        i[b, j], i_2[b, j] = x, x_2
        lost = np.int16(-np.int32(_decay(y, constants[3, j], constants[4, j], constants[5, j])))
        change = np.int16(min(max(np.int32(lost) + np.int32(x) + np.int32(x_2), _LOW), _HIGH))
        y = _sum(y, _sum(change, constants[6, j]))
        v[b, j] = y
        reached[j] = np.int8(y >= constants[7, j])


@njit(cache=True, nogil=True)
def _fire(v, b, threshold, reached, words, who, events, most, active):
    """Events of the neurons that reached their threshold, whose numbers go into who[b]; returns how many they are.

    words: eight of `reached` at a time.
    """
    count = 0
    for word in range(len(words)):
        if words[word] != 0:
            # without branches, which would be guessed wrong
            for j in range(8 * word, 8 * word + 8):
                who[b, count] = j
                count += reached[j]
    for k in range(count):
        j = who[b, k]
        n = 0
        while v[b, j] >= threshold[j] and n < most:
            v[b, j] = np.int16(v[b, j] - threshold[j])
            n += 1
        events[b, j] = n
        active[b, j] += 1
    return count


@njit(cache=True, nogil=True)
def _fire_with_aliases(v, b, threshold, aliases, who, events, most, active):
    """As _fire, in order: an alias may add to a neuron that comes later before that one sends its own."""
    for j in range(len(aliases)):
        if v[b, j] >= threshold[j]:
            n = events[b, j]
            while v[b, j] >= threshold[j] and n < most:
                v[b, j] = np.int16(v[b, j] - threshold[j])
                n += 1
            events[b, j] = n
        if aliases[j] >= 0 and events[b, j] > 0:
            events[b, aliases[j]] = min(events[b, aliases[j]] + events[b, j], most)
    count = 0
    for j in range(len(aliases)):
        if events[b, j] > 0:
            who[b, count] = j
            count += 1
            active[b, j] += 1
    return count


@njit(cache=True, nogil=True)
def run(
    x, most_in, w_in, w_in_2, w_rec, w_rec_2, starts, targets, listed, listed_2, w_out, hidden, second, output, aliases,
    most, most_out, i_1, i_2, v, who, count, events, i_out, v_out, who_out, events_out, steps, sent, sent_out, active,
    active_out, states, states_out,
):  # fmt: skip
    """Advance the states of every sample by a block of steps; x: events (steps, samples, inputs).

    w_in (inputs, hidden), w_out (hidden, outputs): shifted already. Weights between hidden neurons are rows w_rec
    (hidden, hidden), or where that is empty, lists: those of source p from starts[p] on. Names with _2 and `second`:
    of the second synapse, empty where no neuron uses it. hidden, output: constants as _step takes them; aliases: empty
    without any. i_1 to events_out: states (samples, size); who, count, events: the neurons that sent in the step
    before, their number (samples,) and their events. sent, sent_out: events (steps, samples, size); active, active_out:
    steps with any, to which the block's are added, (samples, size). sent, states (3, steps, samples, hidden) and
    states_out (2, ...) are written unless they have no steps. Sizes are padded, but for those of x, sent, sent_out and
    the states that are written.
    """
    _, samples, inputs = x.shape
    neurons, outputs = sent.shape[2], sent_out.shape[2]
    two, as_rows = len(w_in_2) > 0, len(w_rec) > 0
    reached, reached_out = np.zeros(v.shape[1], np.int8), np.zeros(v_out.shape[1], np.int8)
    words, words_out = reached.view(np.uint64), reached_out.view(np.uint64)
    for b in range(samples):
        for t in range(steps):
            for p in range(inputs):
                n = min(int(x[t, b, p]), most_in)
                if n > 0:
                    _add_row(i_1, b, w_in, p, n)
                    if two:
                        _add_row(i_2, b, w_in_2, p, n)
            for k in range(count[b]):
                q = who[b, k]
                n = int(events[b, q])
                events[b, q] = 0
                if as_rows:
                    _add_row(i_1, b, w_rec, q, n)
                    if two:
                        _add_row(i_2, b, w_rec_2, q, n)
                else:
                    _add_listed(i_1, b, targets, listed, starts[q], starts[q + np.uint32(1)], n)
                    if two:
                        _add_listed(i_2, b, targets, listed_2, starts[q], starts[q + np.uint32(1)], n)
                _add_row(i_out, b, w_out, q, n)
            if two:
                _step_of_two(i_1, i_2, v, b, hidden, second, reached)
            else:
                _step(i_1, v, b, hidden, reached)
            if len(aliases):
                count[b] = _fire_with_aliases(v, b, hidden[7], aliases, who, events, most, active)
            else:
                count[b] = _fire(v, b, hidden[7], reached, words, who, events, most, active)
            _step(i_out, v_out, b, output, reached_out)
            fired = _fire(v_out, b, output[7], reached_out, words_out, who_out, events_out, most_out, active_out)
            for j in range(outputs):
                sent_out[t, b, j] = 0
            for k in range(fired):
                sent_out[t, b, who_out[b, k]] = events_out[b, who_out[b, k]]
            if len(sent):
                for j in range(neurons):
                    sent[t, b, j] = events[b, j]
            if states.shape[1]:
                for j in range(neurons):
                    states[0, t, b, j] = i_1[b, j]
                    states[1, t, b, j] = i_2[b, j]
                    states[2, t, b, j] = v[b, j]
                for j in range(outputs):
                    states_out[0, t, b, j] = i_out[b, j]
                    states_out[1, t, b, j] = v_out[b, j]
