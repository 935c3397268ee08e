"""A dense matrix of one-byte weights, in tiles of 64 targets whose sums stay in registers.

A tile's weights fit the L1 cache. Two are packed in a word of 16 bit, low + 256 * high: the words of the active sources
are summed as they are, and again without their low halves, so that the second sum is that of high, and the first - 256
* the second that of low. Weights are stored relative to the lowest one, as 0 to 255.

A `TileStep` passes the sums to CUBA-LIF compartments (exporter/neurons/cuba/cuba_vector.py) in the same registers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from spikeport.common.compiled import njit
from spikeport.exporter.neurons import CubaLIF, CubaLIFSoftReset, Population, States
from spikeport.exporter.neurons.cuba.cuba_vector import emit
from spikeport.exporter.neurons.cuba.lanes import INT32, INTEGERS, LANES, Lanes, place

from .spike_events import Integers, SpikeEvents

_LARGEST = 255
# number of words that can be added in 16 bit
_ROWS = 256
_HALF = LANES // 2
_INT16, _INT64 = ir.IntType(16), ir.IntType(64)
_SHORTS = ir.VectorType(_INT16, _HALF)


class Tiles:
    """matrix: (source size, target size), for which `fits` is true."""

    def __init__(self, matrix: NDArray[np.int16], exponent: int) -> None:
        factor = _common_factor(matrix)
        weights, lowest = matrix >> factor, int(matrix.min(initial=0)) >> factor
        sources, targets = matrix.shape
        padded = np.zeros((sources, -(-targets // LANES) * LANES), np.uint16)
        padded[:, :targets] = weights - lowest
        halves = padded.reshape(sources, -1, 2, _HALF)
        # (tiles, sources, words)
        words = np.ascontiguousarray((halves[:, :, 0] | halves[:, :, 1] << 8).transpose(1, 0, 2))
        self.weights = words, np.int32(lowest), np.int32(exponent + factor)

    @staticmethod
    def fits(matrix: NDArray[np.int16]) -> bool:
        """Whether the weights, without their common trailing zeros, span at most a byte."""
        return int(matrix.max(initial=0)) - int(matrix.min(initial=0)) >> _common_factor(matrix) <= _LARGEST

    def deliver(self, active: SpikeEvents, target: Integers) -> None:
        """Add to target (batch, size) what the active sources send, each a spike without a payload."""
        add_tiles(*self.weights, active.index, active.begin, target)


TileStep = Callable[[Tiles, SpikeEvents, States, NDArray[np.uint64], Integers], None]
"""(tiles, active, states, words, total): a SpikeStep on the input from active sources, one row per step and sample."""


def tile_stepper(population: Population) -> TileStep | None:
    """The kernel bound to a population's constants, None if its neuron model has none."""
    kernel: Callable[..., None]
    constants: tuple[NDArray[Any], ...]
    # exactly these classes: subclasses may have other rules
    if type(population) is CubaLIF:
        kernel, constants = spike_tiles, (*population.step_constants,)
    elif type(population) is CubaLIFSoftReset:
        kernel, constants = spike_and_subtract_tiles, (*population.step_constants, population.v_subtract)
    else:
        return None

    def step(tiles: Tiles, active: SpikeEvents, states: States, words: NDArray[np.uint64], total: Integers) -> None:
        kernel(*tiles.weights, active.index, active.begin, states["u"], states["v"], *constants, words, total)

    return step


def _common_factor(matrix: NDArray[np.int16]) -> int:
    """The number of trailing zero bits that all weights share."""
    bits = int(np.bitwise_or.reduce(matrix, axis=None)) if matrix.size else 0
    return (bits & -bits).bit_length() - 1 if bits else 0


def _emit_sum(builder: Any, lanes: Lanes, tile: Any, index: Any, first: Any, last: Any, lowest: Any, shift: Any) -> Any:
    """What the sources index[first:last] send to the 64 targets of a tile, as 32 bit."""
    count = builder.trunc(builder.sub(last, first), INT32)
    result = cgutils.alloca_once_value(builder, lanes.all(builder.mul(count, lowest)))
    both, high = (cgutils.alloca_once(builder, _SHORTS) for _ in range(2))
    eight, places = ir.Constant(_SHORTS, [8] * _HALF), ir.Constant(INTEGERS, list(range(LANES)))
    with cgutils.for_range_slice(builder, first, last, _INT64(_ROWS)) as (begin, _):
        for sums in (both, high):
            builder.store(ir.Constant(_SHORTS, [0] * _HALF), sums)
        end = builder.add(begin, _INT64(_ROWS))
        end = builder.select(builder.icmp_signed("<", end, last), end, last)
        with cgutils.for_range(builder, end, start=begin) as loop:
            source = builder.load(builder.bitcast(place(builder, index, loop.index), INT32.as_pointer()))
            offset = builder.mul(builder.zext(source, _INT64), _INT64(2 * _HALF))
            words = builder.load(builder.bitcast(builder.gep(tile, [offset]), _SHORTS.as_pointer()), align=2)
            builder.store(builder.add(builder.load(both), words), both)
            builder.store(builder.add(builder.load(high), builder.lshr(words, eight)), high)
        upper = builder.load(high)
        lower = builder.sub(builder.load(both), builder.shl(upper, eight))
        sums = builder.zext(builder.shuffle_vector(lower, upper, places), INTEGERS)
        builder.store(builder.add(builder.load(result), sums), result)
    zero = INT32(0)
    left = builder.select(builder.icmp_signed(">", shift, zero), shift, zero)
    right = builder.sub(left, shift)
    return builder.ashr(builder.shl(builder.load(result), lanes.all(left)), lanes.all(right))


def _arrays(context: Any, builder: Any, signature: Any, arguments: Any, number: int) -> list[Any]:
    """The first `number` arguments, which are arrays."""
    kinds = signature.args[:number]
    return [context.make_array(k)(context, builder, a) for k, a in zip(kinds, arguments[:number], strict=True)]


def _row(builder: Any, begin: Any, row: Any) -> tuple[Any, Any]:
    """begin[row] and begin[row + 1]."""
    first = builder.bitcast(place(builder, begin, row), _INT64.as_pointer())
    return builder.load(first), builder.load(builder.gep(first, [_INT64(1)]))


def _add(whole: bool) -> Any:
    """add(..., tile, row, first, number): adds the input of a row to targets from `first` on, all 64 or `number`."""

    @intrinsic
    def add(_context, words, index, begin, target, lowest, shift, tile, row, first, number):
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            words, index, begin, target = _arrays(context, builder, signature, arguments, 4)
            lowest, shift, tile, row, first, number = arguments[4:]
            lanes = Lanes(context, builder, None if whole else number)
            where, ends = place(builder, words, tile, _INT64(0), _INT64(0)), _row(builder, begin, row)
            sums = _emit_sum(builder, lanes, where, index, *ends, lowest, shift)
            into = place(builder, target, row, first)
            lanes.store(builder.add(lanes.load(into), sums), into)
            return context.get_dummy_value()

        kinds = words, index, begin, target, lowest, shift, tile, row, first, number
        return types.void(*kinds), generate

    return add


def _spike(subtracts: bool, whole: bool) -> Any:
    """spike(..., steps, samples, tile, sample, first, number): a block of steps of the compartments from `first` on."""

    @intrinsic
    def spike(
        _context, u, v, total, message, keep_u, keep_v, bias, threshold, subtract, words, index, begin,
        lowest, shift, steps, samples, tile, sample, first, number,
    ):  # fmt: skip
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            arrays = _arrays(context, builder, signature, arguments, 12)
            subtract, words, index, begin = arrays[8:]
            lowest, shift, steps, samples, tile, sample, first, number = arguments[12:]
            lanes = Lanes(context, builder, None if whole else number)
            where = place(builder, words, tile, _INT64(0), _INT64(0))

            def arriving(step: Any) -> Any:
                ends = _row(builder, begin, builder.add(builder.mul(step, samples), sample))
                return _emit_sum(builder, lanes, where, index, *ends, lowest, shift)

            emit(builder, lanes, arrays[:8], subtract if subtracts else None, steps, sample, first, arriving)
            return context.get_dummy_value()

        kinds = (
            u, v, total, message, keep_u, keep_v, bias, threshold, subtract, words, index, begin,
            lowest, shift, steps, samples, tile, sample, first, number,
        )  # fmt: skip
        return types.void(*kinds), generate

    return spike


_add_whole, _add_rest = _add(True), _add(False)
_hard, _hard_rest = _spike(False, True), _spike(False, False)
_soft, _soft_rest = _spike(True, True), _spike(True, False)


@njit(cache=True, nogil=True)
def add_tiles(words, lowest, shift, index, begin, target):
    """Add what the active sources send to target (rows, size), tile by tile."""
    rows, size = target.shape
    for tile in range(size // LANES):
        for row in range(rows):
            if begin[row + 1] > begin[row]:
                _add_whole(words, index, begin, target, lowest, shift, tile, row, tile * LANES, LANES)
    whole = size // LANES
    if whole * LANES < size:
        for row in range(rows):
            if begin[row + 1] > begin[row]:
                _add_rest(words, index, begin, target, lowest, shift, whole, row, whole * LANES, size - whole * LANES)


@njit(cache=True, nogil=True)
def spike_tiles(words, lowest, shift, index, begin, u, v, keep_u, keep_v, bias, threshold, message, total):
    """A block of steps of compartments that reset to 0, as exporter/neurons/cuba/cuba_vector.py's `spike`.

    index, begin: the sources' spikes, one row per step and sample of the block.
    """
    steps, samples, size = len(message), u.shape[0], u.shape[1]
    whole = size // LANES
    for tile in range(whole):
        for b in range(samples):
            _hard(
                u, v, total, message, keep_u, keep_v, bias, threshold, bias, words, index, begin,
                lowest, shift, steps, samples, tile, b, tile * LANES, LANES,
            )  # fmt: skip
    if whole * LANES < size:
        for b in range(samples):
            _hard_rest(
                u, v, total, message, keep_u, keep_v, bias, threshold, bias, words, index, begin,
                lowest, shift, steps, samples, whole, b, whole * LANES, size - whole * LANES,
            )  # fmt: skip


@njit(cache=True, nogil=True)
def spike_and_subtract_tiles(
    words, lowest, shift, index, begin, u, v, keep_u, keep_v, bias, threshold, subtract, message, total
):
    """The same for compartments that reset by subtracting `subtract` from v."""
    steps, samples, size = len(message), u.shape[0], u.shape[1]
    whole = size // LANES
    for tile in range(whole):
        for b in range(samples):
            _soft(
                u, v, total, message, keep_u, keep_v, bias, threshold, subtract, words, index, begin,
                lowest, shift, steps, samples, tile, b, tile * LANES, LANES,
            )  # fmt: skip
    if whole * LANES < size:
        for b in range(samples):
            _soft_rest(
                u, v, total, message, keep_u, keep_v, bias, threshold, subtract, words, index, begin,
                lowest, shift, steps, samples, whole, b, whole * LANES, size - whole * LANES,
            )  # fmt: skip


def warm_up() -> None:
    """Compile, or load from the cache, the kernels of this module."""
    active = SpikeEvents.empty(1, 1, False)
    active.read_spikes(np.ones((1, 1), np.uint8))
    tiles = Tiles(np.ones((1, 1), np.int16), 0)
    tiles.deliver(active, np.zeros((1, 1), np.int32))
    for model in (CubaLIF, CubaLIFSoftReset):
        population = model.of("", (1,), **dict.fromkeys(model.constants(), 0))
        step, states = tile_stepper(population), {name: np.zeros((1, 1), np.int32) for name in model.STATES}
        assert step is not None
        step(tiles, active, states, np.zeros((1, 1, 1), np.uint64), np.zeros((1, 1), np.int32))
