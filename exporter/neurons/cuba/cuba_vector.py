"""The equations of cuba.py on 64 compartments at once, with spikes packed and counted in the same loop.

u, v and the number of spikes stay in registers for a block of steps. A 32-bit product that rounds toward zero gives the
exact integer if the state has at most 24 bits; longer states, which one wrap can leave, take the 64-bit product. All
arrays are contiguous along their last axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from spikeport.common.compiled import njit

from .lanes import FLOATS, INTEGERS, LANES, WORD, Lanes, place

_WIDE, _RANGE = 1 << 24, 1 << 23
_BIT, _INT64 = ir.IntType(1), ir.IntType(64)


def emit(
    builder: Any, lanes: Lanes, arrays: Sequence[Any], subtract: Any, steps: Any, sample: Any, first: Any,
    arriving: Callable[[Any], Any],
) -> None:  # fmt: skip
    """Emit a block of steps of the lanes from compartment `first` on.

    arrays: u, v, total, words, keep_u, keep_v, bias, threshold, as `spike` takes them; subtract: v[s] <- v - subtract,
    None for v[s] <- 0; arriving: emits the input of a step, given its index in the block.
    """
    addresses = [place(builder, array, sample, first) for array in arrays[:3]]
    u, v, total = (cgutils.alloca_once_value(builder, lanes.load(address)) for address in addresses)
    keep_u, keep_v = (lanes.load(place(builder, array, first), FLOATS) for array in arrays[4:6])
    bias, threshold = (lanes.load(place(builder, array, first)) for array in arrays[6:8])
    subtracted = None if subtract is None else lanes.load(place(builder, subtract, first))
    current = cgutils.alloca_once(builder, INTEGERS)
    wide = cgutils.alloca_once_value(builder, _beyond(builder, lanes, builder.load(u)))
    word = builder.lshr(first, ir.Constant(_INT64, LANES.bit_length() - 1))
    with cgutils.for_range(builder, steps) as loop:
        a = builder.shl(arriving(loop.index), lanes.number(6))
        before = builder.load(u)
        if lanes.has_short:
            with builder.if_else(builder.load(wide), likely=False) as (then, otherwise):
                with then:
                    builder.store(builder.add(lanes.kept(before, keep_u, False), a), current)
                with otherwise:
                    builder.store(builder.add(lanes.kept(before, keep_u, True), a), current)
        else:
            builder.store(builder.add(lanes.kept(before, keep_u, False), a), current)
        _wrap(builder, lanes, current, wide)
        now = builder.load(current)
        builder.store(now, u)
        voltage = builder.add(builder.add(lanes.kept(builder.load(v), keep_v, True), now), bias)
        voltage = lanes.clamp(voltage, 1 - _RANGE, _RANGE - 1)
        spikes = lanes.there(builder.icmp_signed(">", voltage, threshold))
        after = lanes.number(0) if subtracted is None else builder.sub(voltage, subtracted)
        builder.store(builder.select(spikes, after, voltage), v)
        builder.store(builder.sub(builder.load(total), builder.sext(spikes, INTEGERS)), total)
        target = builder.bitcast(place(builder, arrays[3], loop.index, sample, word), WORD.as_pointer())
        builder.store(lanes.word(spikes), target)
    for values, address in zip((u, v, total), addresses, strict=True):
        lanes.store(builder.load(values), address)


def _beyond(builder: Any, lanes: Lanes, state: Any) -> Any:
    """Whether any lane's magnitude is above 2**24."""
    moved = builder.add(state, lanes.number(_WIDE))
    beyond = lanes.word(builder.icmp_unsigned(">", moved, lanes.number(2 * _WIDE)))
    return builder.icmp_unsigned("!=", beyond, ir.Constant(WORD, 0))


def _wrap(builder: Any, lanes: Lanes, current: Any, wide: Any) -> None:
    """One wrap into 24 bit, exactly as in cuba.py's next_current; `wide`: whether values beyond remain."""
    values = builder.load(current)
    high = builder.icmp_signed(">", values, lanes.number(_RANGE))
    low = builder.icmp_signed("<=", values, lanes.number(-_RANGE))
    outside = builder.icmp_unsigned("!=", lanes.word(builder.or_(high, low)), ir.Constant(WORD, 0))
    builder.store(ir.Constant(_BIT, 0), wide)
    with builder.if_then(outside, likely=False):
        values = builder.select(high, builder.sub(values, lanes.number(_WIDE)), values)
        values = builder.select(low, builder.add(values, lanes.number(_WIDE)), values)
        builder.store(values, current)
        builder.store(_beyond(builder, lanes, values), wide)


def _advance(subtracts: bool, whole: bool) -> Any:
    """advance(..., sample, first, number): the lanes from compartment `first` on in all steps of a.

    whole: all lanes are active, else `number` of them.
    """

    @intrinsic
    def advance(_context, u, v, total, words, keep_u, keep_v, bias, threshold, a, subtract, sample, first, number):
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            arrays = [
                context.make_array(kind)(context, builder, value)
                for kind, value in zip(signature.args[:10], arguments[:10], strict=True)
            ]
            sample, first, number = arguments[10:]
            lanes = Lanes(context, builder, None if whole else number)

            def arriving(step: Any) -> Any:
                source = place(builder, arrays[8], step, sample, first)
                values = lanes.load(source)
                lanes.store(lanes.number(0), source)
                return values

            steps = cgutils.unpack_tuple(builder, arrays[8].shape)[0]
            emit(builder, lanes, arrays, arrays[9] if subtracts else None, steps, sample, first, arriving)
            return context.get_dummy_value()

        kinds = u, v, total, words, keep_u, keep_v, bias, threshold, a, subtract, sample, first, number
        return types.void(*kinds), generate

    return advance


_hard, _hard_rest = _advance(False, True), _advance(False, False)
_soft, _soft_rest = _advance(True, True), _advance(True, False)


@njit(cache=True, nogil=True)
def spike(u, v, a, keep_u, keep_v, bias, threshold, words, total):
    """A block of steps of compartments that reset to 0; words: (steps, samples, words), every bit is written."""
    whole = u.shape[1] // LANES * LANES
    for b in range(u.shape[0]):
        for i in range(0, whole, LANES):
            _hard(u, v, total, words, keep_u, keep_v, bias, threshold, a, bias, b, i, LANES)
        if whole < u.shape[1]:
            rest = u.shape[1] - whole
            _hard_rest(u, v, total, words, keep_u, keep_v, bias, threshold, a, bias, b, whole, rest)


@njit(cache=True, nogil=True)
def spike_and_subtract(u, v, a, keep_u, keep_v, bias, threshold, subtract, words, total):
    """The same for compartments whose spikes subtract `subtract` from v."""
    whole = u.shape[1] // LANES * LANES
    for b in range(u.shape[0]):
        for i in range(0, whole, LANES):
            _soft(u, v, total, words, keep_u, keep_v, bias, threshold, a, subtract, b, i, LANES)
        if whole < u.shape[1]:
            rest = u.shape[1] - whole
            _soft_rest(u, v, total, words, keep_u, keep_v, bias, threshold, a, subtract, b, whole, rest)
