"""Asks the processor to bring memory near before it is read or written; changes no result."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

_BYTE_POINTER, _INT32 = ir.IntType(8).as_pointer(), ir.IntType(32)
_READ, _WRITE = 0, 1
# to all levels of cache, data
_NEAR, _DATA = 3, 1
_LINE = 64
# rows of a sequence that memory needs to arrive
_AHEAD = 2


@intrinsic
def prefetch(_context, array, _index):
    """prefetch(array, index): the cache line that array[index] of a contiguous array, counted flat, lies in."""
    return types.void(array, types.intp), _prefetching(_READ)


@intrinsic
def prefetch_to_write(_context, array, _index):
    """The same for a line that is to be written."""
    return types.void(array, types.intp), _prefetching(_WRITE)


@njit(cache=True, nogil=True, inline="always")
def prefetch_row_to_write(array, t, b, end):
    """The row array[t, b + 2] of a contiguous array (T, B, N), where b + 2 is below end: to be called at row b.

    Numbers that nobody has read for long, written row by row, come one miss after another: the processor does not
    guess them among the other arrays of a kernel.
    """
    if b + _AHEAD < end:
        size = array.shape[2]
        row = (t * array.shape[1] + b + _AHEAD) * size
        for n in range(0, size, _LINE // array.itemsize):
            prefetch_to_write(array, row + n)


def _prefetching(purpose: int) -> Any:
    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(data, [arguments[1]]), _BYTE_POINTER)
        kind = ir.FunctionType(ir.VoidType(), [_BYTE_POINTER, _INT32, _INT32, _INT32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(function, [place, *(ir.Constant(_INT32, value) for value in (purpose, _NEAR, _DATA))])
        return context.get_dummy_value()

    return generate
