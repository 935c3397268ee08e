"""The chip's step of chip_kernels.py in Triton, in integers of 32 bits; layout and columns as in triton_kernels.py.

    u <- toward_zero(u keep_u) + 64 a;  v <- toward_zero(v keep_v) + u + bias, saturated

a: whole numbers as floating point; u, v and constants come as float64 and are integers from there on: keep_u and keep_v
are words of 1/4096, |u| stays below 2**31. Only `over`, v minus threshold in the network's units, is floating point.
"""

import triton
import triton.language as tl

from spikeport.common.triton_integers import decayed
from spikeport.hardware_profiles.fixed_point import DECAY_UNITY, STATE_UNIT, WordWidths

from .triton_kernels import _columns, slope

_LIMIT = tl.constexpr(WordWidths().state_max)
_UNIT = tl.constexpr(STATE_UNIT)
_UNITY = tl.constexpr(DECAY_UNITY)


@triton.jit
def _whole(values, place, inside):
    return tl.load(values + place, mask=inside, other=0.0).to(tl.int32)


@triton.jit
def _word(keep, place, inside):
    """A fraction of 4096, as its numerator."""
    return (tl.load(keep + place, mask=inside, other=0.0) * _UNITY + 0.5).to(tl.int32)


@triton.jit
def _current(u, word_u, a, place, inside):
    """u after a step."""
    return decayed(u, word_u) + _whole(a, place, inside) * _UNIT


@triton.jit
def _voltage(v, word_v, u, bias):
    """v after a step, before the reset; saturated."""
    return tl.minimum(tl.maximum(decayed(v, word_v) + u + bias, -_LIMIT), _LIMIT)


@triton.jit
def _store_spikes(beyond, scaled, over, s, place, inside):
    """Over and the spikes, for beyond = v - threshold."""
    network = (beyond.to(tl.float64) * scaled).to(over.dtype.element_ty)
    tl.store(over + place, network, mask=inside)
    tl.store(s + place, (beyond > 0).to(s.dtype.element_ty), mask=inside)


@triton.jit
def chip_forward(a, constants, u_state, v_state, over, s, steps, columns, size, unit: tl.float64, BLOCK: tl.constexpr):
    """s = v > threshold; v <- 0 where s; constants: bias, keep_u, keep_v, threshold; states are overwritten."""
    column, inside = _columns(columns, BLOCK)
    neuron = column % size
    bias = _whole(constants, neuron, inside)
    word_u, word_v = _word(constants + size, neuron, inside), _word(constants + 2 * size, neuron, inside)
    threshold = _whole(constants + 3 * size, neuron, inside)
    u, v = _whole(u_state, column, inside), _whole(v_state, column, inside)
    scaled = tl.full((BLOCK,), unit, tl.float64)
    place = column
    for _ in range(steps):
        u = _current(u, word_u, a, place, inside)
        v = _voltage(v, word_v, u, bias)
        beyond = v - threshold
        _store_spikes(beyond, scaled, over, s, place, inside)
        v = tl.where(beyond > 0, 0, v)
        place += columns
    tl.store(u_state + column, u.to(tl.float64), mask=inside)
    tl.store(v_state + column, v.to(tl.float64), mask=inside)


@triton.jit
def chip_subtract(a, constants, u_state, v_state, over, s, steps, columns, size, unit: tl.float64, BLOCK: tl.constexpr):
    """As chip_forward, with v <- v - subtracted where s, the fifth row of constants."""
    column, inside = _columns(columns, BLOCK)
    neuron = column % size
    bias = _whole(constants, neuron, inside)
    word_u, word_v = _word(constants + size, neuron, inside), _word(constants + 2 * size, neuron, inside)
    threshold = _whole(constants + 3 * size, neuron, inside)
    subtracted = _whole(constants + 4 * size, neuron, inside)
    u, v = _whole(u_state, column, inside), _whole(v_state, column, inside)
    scaled = tl.full((BLOCK,), unit, tl.float64)
    place = column
    for _ in range(steps):
        u = _current(u, word_u, a, place, inside)
        v = _voltage(v, word_v, u, bias)
        beyond = v - threshold
        _store_spikes(beyond, scaled, over, s, place, inside)
        v = tl.where(beyond > 0, v - subtracted, v)
        place += columns
    tl.store(u_state + column, u.to(tl.float64), mask=inside)
    tl.store(v_state + column, v.to(tl.float64), mask=inside)


@triton.jit
def chip_integrate(a, constants, u_state, v_state, sent, steps, columns, size, unit: tl.float64, BLOCK: tl.constexpr):
    """Neurons without threshold: sent = toward_zero(v unit); constants: bias, keep_u, keep_v."""
    column, inside = _columns(columns, BLOCK)
    neuron = column % size
    bias = _whole(constants, neuron, inside)
    word_u, word_v = _word(constants + size, neuron, inside), _word(constants + 2 * size, neuron, inside)
    u, v = _whole(u_state, column, inside), _whole(v_state, column, inside)
    scaled = tl.full((BLOCK,), unit, tl.float64)
    place = column
    for _ in range(steps):
        u = _current(u, word_u, a, place, inside)
        v = _voltage(v, word_v, u, bias)
        whole = (v.to(tl.float64) * scaled).to(tl.int32)
        tl.store(sent + place, whole.to(sent.dtype.element_ty), mask=inside)
        place += columns
    tl.store(u_state + column, u.to(tl.float64), mask=inside)
    tl.store(v_state + column, v.to(tl.float64), mask=inside)


@triton.jit
def chip_backward(
    gradient, over, constants, out, summed, steps, columns, size, last,
    height: tl.float64, factor: tl.float64, rate: tl.float64, unit: tl.float64,
    SLOPE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """e[t] = g[t] height slope(over[t]) + (keep_v e[t+1] where over[t] <= 0);  out[t] = e[t] unit + keep_u out[t+1]

    constants: keep_u and keep_v; summed: the sum of e over time, (columns,) float64.
    """
    column, inside = _columns(columns, BLOCK)
    neuron = column % size
    keep_u = tl.load(constants + neuron, mask=inside, other=0.0)
    keep_v = tl.load(constants + size + neuron, mask=inside, other=0.0)
    tall = tl.full((BLOCK,), height, keep_u.dtype)
    scaled = tl.full((BLOCK,), unit, keep_u.dtype)
    later = tl.full((BLOCK,), 0.0, keep_u.dtype)
    filtered = later
    total = tl.full((BLOCK,), 0.0, tl.float64)
    place = column + last
    for _ in range(steps):
        x = tl.load(over + place, mask=inside, other=0.0)
        given = tl.load(gradient + place, mask=inside, other=0.0)
        error = given * (tall * slope(x, factor, rate, SLOPE, BLOCK)) + tl.where(x > 0, 0.0, later)
        later = keep_v * error
        filtered = error * scaled + keep_u * filtered
        total += error.to(tl.float64)
        tl.store(out + place, filtered, mask=inside)
        place -= columns
    tl.store(summed + column, total, mask=inside)
