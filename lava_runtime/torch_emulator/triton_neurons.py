"""The CUBA neurons' steps of exporter/neurons/cuba in Triton, in integers of 32 bits; a program has BLOCK columns.

A column is one neuron of one sample with all its steps: arrays are (T, columns) int32, and column c is neuron
c % size, whose constants lie in rows, (constants, size).
"""

import triton
import triton.language as tl

from spikeport.common.triton_integers import decayed
from spikeport.hardware_profiles.fixed_point import ACTIVATION_SHIFT

_SHIFT = tl.constexpr(ACTIVATION_SHIFT)
_RANGE = tl.constexpr(1 << 23)


@triton.jit
def _next_current(u, word, a):
    """cuba.next_current: wraps once."""
    current = decayed(u, word) + (a << _SHIFT)
    above, below = current > _RANGE, current <= -_RANGE
    return tl.where(above, current - 2 * _RANGE, tl.where(below, current + 2 * _RANGE, current))


@triton.jit
def _next_voltage(v, word, u, bias):
    """cuba.next_voltage: saturates."""
    return tl.minimum(tl.maximum(decayed(v, word) + u + bias, 1 - _RANGE), _RANGE - 1)


@triton.jit
def _constant(rows, row, size, neuron, inside):
    return tl.load(rows + row * size + neuron, mask=inside, other=1)


@triton.jit
def spiking(
    a, rows, u_state, v_state, sent, us, vs, first, steps, columns, size, RECORD: tl.constexpr, BLOCK: tl.constexpr
):
    """s = v > threshold; v <- v carried - subtracted where s; u, v <- 0 where (t + 1 - offset) mod interval = 0.

    rows: keep_u and keep_v in 4096ths, bias, threshold, carried (0 or 1), subtracted, interval, offset; first: the step
    t of a[0]; RECORD: whether u and v of every step are written to us and vs.
    """
    column = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = column < columns
    neuron = column % size
    word_u, word_v = _constant(rows, 0, size, neuron, inside), _constant(rows, 1, size, neuron, inside)
    bias, threshold = _constant(rows, 2, size, neuron, inside), _constant(rows, 3, size, neuron, inside)
    carried, subtracted = _constant(rows, 4, size, neuron, inside), _constant(rows, 5, size, neuron, inside)
    interval, offset = _constant(rows, 6, size, neuron, inside), _constant(rows, 7, size, neuron, inside)
    u, v = tl.load(u_state + column, mask=inside, other=0), tl.load(v_state + column, mask=inside, other=0)
    place = column
    since = first + 1 - offset
    for _ in range(steps):
        due = since % interval == 0
        u, v = tl.where(due, 0, u), tl.where(due, 0, v)
        u = _next_current(u, word_u, tl.load(a + place, mask=inside, other=0))
        v = _next_voltage(v, word_v, u, bias)
        fires = v > threshold
        v = tl.where(fires, v * carried - subtracted, v)
        tl.store(sent + place, fires.to(tl.uint8), mask=inside)
        if RECORD:
            tl.store(us + place, u, mask=inside)
            tl.store(vs + place, v, mask=inside)
        place += columns
        since += 1
    tl.store(u_state + column, u, mask=inside)
    tl.store(v_state + column, v, mask=inside)


@triton.jit
def integrating(
    a, rows, u_state, v_state, sent, us, vs, steps, columns, size, RECORD: tl.constexpr, BLOCK: tl.constexpr
):
    """Neurons without threshold send toward_zero(v / 2**shift); rows: keep_u, keep_v, bias, shift."""
    column = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = column < columns
    neuron = column % size
    word_u, word_v = _constant(rows, 0, size, neuron, inside), _constant(rows, 1, size, neuron, inside)
    bias, shift = _constant(rows, 2, size, neuron, inside), _constant(rows, 3, size, neuron, inside)
    u, v = tl.load(u_state + column, mask=inside, other=0), tl.load(v_state + column, mask=inside, other=0)
    place = column
    for _ in range(steps):
        u = _next_current(u, word_u, tl.load(a + place, mask=inside, other=0))
        v = _next_voltage(v, word_v, u, bias)
        tl.store(sent + place, tl.where(v < 0, -(-v >> shift), v >> shift), mask=inside)
        if RECORD:
            tl.store(us + place, u, mask=inside)
            tl.store(vs + place, v, mask=inside)
        place += columns
    tl.store(u_state + column, u, mask=inside)
    tl.store(v_state + column, v, mask=inside)
