"""Prefetch hints for memory that will be read or written soon; they change no result."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from spikeport.common.compiled import njit

_BYTE_POINTER, _INT32 = ir.IntType(8).as_pointer(), ir.IntType(32)
_READ, _WRITE = 0, 1
# into all levels of the data cache
_NEAR, _DATA = 3, 1
_LINE = 64
# rows ahead, the time that memory takes to arrive
_AHEAD = 2


@intrinsic
def prefetch(_context, array, _index):
    """prefetch(array, index): the cache line of element `index` of a contiguous array, counted flat."""
    return types.void(array, types.intp), _prefetching(_READ)


@intrinsic
def prefetch_to_write(_context, array, _index):
    """The same for a line that will be written."""
    return types.void(array, types.intp), _prefetching(_WRITE)


@njit(cache=True, nogil=True, inline="always")
def prefetch_row_to_write(array, t, b, stop):
    """Prefetch row array[t, b + 2] of a contiguous array (T, B, N) if b + 2 is below stop; called at row b.

    Without it, cold rows cost one cache miss after another: the processor does not predict them among the other arrays
    of a kernel.
    """
    if b + _AHEAD < stop:
        size = array.shape[2]
        row = (t * array.shape[1] + b + _AHEAD) * size
        for n in range(0, size, _LINE // array.itemsize):
            prefetch_to_write(array, row + n)


def _prefetching(purpose: int) -> Any:
    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.bitcast(builder.gep(data, [arguments[1]]), _BYTE_POINTER)
        kind = ir.FunctionType(ir.VoidType(), [_BYTE_POINTER, _INT32, _INT32, _INT32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(function, [address, *(ir.Constant(_INT32, value) for value in (purpose, _NEAR, _DATA))])
        return context.get_dummy_value()

    return generate
