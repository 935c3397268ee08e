"""LLVM bit operations that Numba lacks: nonzero bytes as a mask, population count, trailing zeros."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_BYTES = ir.VectorType(ir.IntType(8), 64)
_WORD = ir.IntType(64)


@intrinsic
def set_bytes(_context, array, _index):
    """set_bytes(array, index): bit j is set if byte index + j of a contiguous array of bytes is not 0."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.bitcast(builder.gep(data, [arguments[1]]), _BYTES.as_pointer())
        values = builder.load(address, align=1)
        return builder.bitcast(builder.icmp_unsigned("!=", values, ir.Constant(_BYTES, [0] * 64)), _WORD)

    return types.uint64(array, types.intp), generate


@intrinsic
def number_of_bits(_context, _word):
    """The number of bits of a word that are set."""

    def generate(_, builder, __, arguments):
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@intrinsic
def first_bit(_context, _word):
    """The index of the lowest bit that is set, 64 if none is."""

    def generate(_, builder, __, arguments):
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_WORD, [_WORD, ir.IntType(1)]), "llvm.cttz.i64"
        )
        return builder.call(function, [arguments[0], ir.Constant(ir.IntType(1), 0)])

    return types.uint64(types.uint64), generate
