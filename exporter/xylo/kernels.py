"""One block of time steps of a Xylo network, sample by sample (exporter/neurons/xylo/neurons.py has the equations).

States are whole numbers of 16 bit in float32, where sums, shifts to the right (floor(x * 2**-dash)) and the largest
product of events and weight are exact, and which the processor computes eight at a time.
"""

from __future__ import annotations

import numpy as np

from spikeport.common.compiled import njit

_LOW, _HIGH = np.float32(-32768), np.float32(32767)
_ZERO, _ONE = np.float32(0), np.float32(1)


@njit(cache=True, nogil=True, inline="always")
def _saturated(x):
    x = _LOW if x < _LOW else x
    return _HIGH if x > _HIGH else x


@njit(cache=True, nogil=True, inline="always")
def _decay(x, scale):
    """x >> dash, or the sign of x where that is 0; scale: 2**-dash."""
    lost = np.floor(x * scale)
    # below 2**dash a positive x would lose nothing; a negative one loses 1 there as everywhere
    return _ONE if (lost == _ZERO) & (x > _ZERO) else lost


@njit(cache=True, nogil=True)
def _add_row(currents, row, events):
    """Add `events` times a row of weights: the same as one event after the other, as they have one sign."""
    n = np.float32(events)
    for j in range(len(row)):
        currents[j] = _saturated(currents[j] + n * row[j])


@njit(cache=True, nogil=True)
def _currents(i, scale):
    for j in range(len(i)):
        i[j] -= _decay(i[j], scale[j])


@njit(cache=True, nogil=True)
def _voltages(v, i, scale, bias):
    for j in range(len(v)):
        change = -_decay(v[j], scale[j])
        # the register of the decay wraps: at v = -32768 and dash 0 it holds -32768 and not 32768
        change = _LOW if change > _HIGH else change
        change = _saturated(_saturated(change + i[j]) + bias[j])
        v[j] = _saturated(v[j] + change)


@njit(cache=True, nogil=True)
def _events(v, threshold, events, aliases, aliased, most):
    """Events of every neuron, in order: an alias may add to one that comes later before that one sends its own."""
    for j in range(len(v)):
        if v[j] >= threshold[j]:
            n = events[j]
            while v[j] >= threshold[j] and n < most:
                v[j] -= threshold[j]
                n += 1
            events[j] = n
        if aliased and aliases[j] >= 0 and events[j] > 0:
            events[aliases[j]] = min(events[aliases[j]] + events[j], most)


@njit(cache=True, nogil=True)
def _count(events, active):
    for j in range(len(events)):
        active[j] += events[j] != 0


@njit(cache=True, nogil=True)
def run(
    x, most_in, w_in, two, rec_starts, rec_targets, rec_weights, w_out, hidden, output, aliases, aliased, most,
    most_out, i_1, i_2, v, s, i_out, v_out, steps, sent, sent_out, active, active_out, states, states_out, recorded,
):  # fmt: skip
    """Advance the states of every sample by a block of steps; x: events (steps, samples, inputs).

    w_in (synapses, inputs, hidden), w_out (hidden, outputs), rec_weights (synapses, stored): shifted already; the
    recurrent synapses of source p are those from rec_starts[p] on. hidden: rows 2**-dash_syn, 2**-dash_syn_2,
    2**-dash_mem, threshold, bias; output: the same without the second. i_1 to v_out: states (samples, size), and s, the
    events of the step before. sent, sent_out: events (steps, samples, size); active, active_out: steps with any, to
    which the block's are added, (samples, size). states (3, steps, samples, hidden) and states_out (2, ...)
    are written if recorded.
    """
    _, samples, inputs = x.shape
    neurons, outputs = v.shape[1], v_out.shape[1]
    both = np.empty(neurons, np.float32)
    none = np.full(outputs, -1, np.int32)
    for b in range(samples):
        for t in range(steps):
            for p in range(inputs):
                n = min(int(x[t, b, p]), most_in)
                if n > 0:
                    _add_row(i_1[b], w_in[0, p], n)
                    if two:
                        _add_row(i_2[b], w_in[1, p], n)
            for p in range(neurons):
                if s[b, p] > 0:
                    n = np.float32(s[b, p])
                    for k in range(rec_starts[p], rec_starts[p + 1]):
                        j = rec_targets[k]
                        i_1[b, j] = _saturated(i_1[b, j] + n * rec_weights[0, k])
                        if two:
                            i_2[b, j] = _saturated(i_2[b, j] + n * rec_weights[1, k])
                    _add_row(i_out[b], w_out[p], s[b, p])
                    s[b, p] = 0
            _currents(i_1[b], hidden[0])
            if two:
                _currents(i_2[b], hidden[1])
                for j in range(neurons):
                    both[j] = i_1[b, j] + i_2[b, j]
                _voltages(v[b], both, hidden[2], hidden[4])
            else:
                _voltages(v[b], i_1[b], hidden[2], hidden[4])
            _events(v[b], hidden[3], s[b], aliases, aliased, most)
            _currents(i_out[b], output[0])
            _voltages(v_out[b], i_out[b], output[1], output[3])
            row = sent_out[t, b]
            row[:] = 0
            _events(v_out[b], output[2], row, none, False, most_out)
            _count(row, active_out[b])
            _count(s[b], active[b])
            sent[t, b] = s[b]
            if recorded:
                for j in range(neurons):
                    states[0, t, b, j] = np.int32(i_1[b, j])
                    states[1, t, b, j] = np.int32(i_2[b, j])
                    states[2, t, b, j] = np.int32(v[b, j])
                for j in range(outputs):
                    states_out[0, t, b, j] = np.int32(i_out[b, j])
                    states_out[1, t, b, j] = np.int32(v_out[b, j])
