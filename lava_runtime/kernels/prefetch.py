"""Asks the processor to bring memory near before it is read; changes no result."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_BYTE_POINTER, _INT32 = ir.IntType(8).as_pointer(), ir.IntType(32)
# for reading, to all levels of cache, data
_READ, _NEAR, _DATA = (ir.Constant(_INT32, value) for value in (0, 3, 1))


@intrinsic
def prefetch(_context, array, _index):
    """prefetch(array, index): the cache line that array[index] of a contiguous array lies in."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(data, [arguments[1]]), _BYTE_POINTER)
        kind = ir.FunctionType(ir.VoidType(), [_BYTE_POINTER, _INT32, _INT32, _INT32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(function, [place, _READ, _NEAR, _DATA])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate
