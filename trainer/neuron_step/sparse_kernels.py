"""Products of a matrix with one that is mostly 0, as compiled loops over what is not.

A listed matrix (R, C) is three arrays: `starts` (R + 1), and of each entry that is not 0, row by row, its `columns` and
`values`.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

# rows of which the gradients stay in the cache
BLOCK = 256
# rows that are still in the cache when something is added to what was set to 0
ZEROED = 16
# numbers that are compared with 0 at once
WORD = 64


@intrinsic
def entries(_context, row, _index):
    """entries(row, index): bit j says whether number index + j of a contiguous row is not 0."""

    def generate(context, builder, signature, arguments):
        kind = ir.VectorType(context.get_value_type(signature.args[0].dtype), WORD)
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(data, [arguments[1]]), kind.as_pointer())
        values = builder.load(place, align=1)
        return builder.bitcast(builder.fcmp_unordered("!=", values, ir.Constant(kind, [0.0] * WORD)), ir.IntType(WORD))

    return types.uint64(row, types.intp), generate


@intrinsic
def lowest_bit(_context, _word):
    """The place of the lowest bit of a word that is not 0."""

    def generate(_, builder, __, arguments):
        kind = ir.FunctionType(ir.IntType(WORD), [ir.IntType(WORD), ir.IntType(1)])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.cttz.i64")
        return builder.call(function, [arguments[0], ir.Constant(ir.IntType(1), 1)])

    return types.uint64(types.uint64), generate


@njit(cache=True, nogil=True, error_model="numpy")
def list_entries(matrix, starts, columns, values):
    """List a contiguous matrix; returns how many entries there are. columns, values: room for all of the matrix."""
    count, inputs = matrix.shape
    one = np.uint64(1)
    k = 0
    for r in range(count):
        starts[r] = k
        row = matrix[r]
        words = inputs // WORD
        for begin in range(0, words * WORD, WORD):
            word = entries(row, begin)
            while word != 0:
                i = begin + np.int64(lowest_bit(word))
                columns[k] = i
                values[k] = row[i]
                k += 1
                word &= word - one
        for rest in range(words * WORD, inputs):
            if row[rest] != 0:
                columns[k] = rest
                values[k] = row[rest]
                k += 1
    starts[count] = k
    return k


@njit(cache=True, nogil=True, error_model="numpy")
def add_product(starts, columns, values, matrix, out):
    """out += listed @ matrix, for a listed (R, C), matrix (C, N) and out (R, N)."""
    size = matrix.shape[1]
    for r in range(len(starts) - 1):
        q, end = starts[r], starts[r + 1]
        # eight at a time: a sum is read and written once for eight rows
        while q + 8 <= end:
            a, b, c, d = columns[q], columns[q + 1], columns[q + 2], columns[q + 3]
            e, f, g, h = columns[q + 4], columns[q + 5], columns[q + 6], columns[q + 7]
            xa, xb, xc, xd = values[q], values[q + 1], values[q + 2], values[q + 3]
            xe, xf, xg, xh = values[q + 4], values[q + 5], values[q + 6], values[q + 7]
            for n in range(size):
                first = (xa * matrix[a, n] + xb * matrix[b, n]) + (xc * matrix[c, n] + xd * matrix[d, n])
                second = (xe * matrix[e, n] + xf * matrix[f, n]) + (xg * matrix[g, n] + xh * matrix[h, n])
                out[r, n] += first + second
            q += 8
        while q + 2 <= end:
            a, b = columns[q], columns[q + 1]
            xa, xb = values[q], values[q + 1]
            for n in range(size):
                out[r, n] += xa * matrix[a, n] + xb * matrix[b, n]
            q += 2
        if q < end:
            a = columns[q]
            xa = values[q]
            for n in range(size):
                out[r, n] += xa * matrix[a, n]


@njit(cache=True, nogil=True, error_model="numpy")
def product(starts, columns, values, matrix, out):
    """out = listed @ matrix, for a listed (R, C), matrix (C, N) and out (R, N)."""
    count = len(starts) - 1
    for begin in range(0, count, ZEROED):
        end = min(count, begin + ZEROED)
        out[begin:end] = 0
        add_product(starts[begin : end + 1], columns, values, matrix, out[begin:end])


@njit(cache=True, nogil=True, error_model="numpy")
def add_transposed_product(starts, columns, values, matrix, out):
    """out += listed.T @ matrix, for a listed (R, C), matrix (R, N) and out (C, N)."""
    count, inputs = len(starts) - 1, len(out)
    most = 0
    for begin in range(0, count, BLOCK):
        most = max(most, starts[min(count, begin + BLOCK)] - starts[begin])
    rows, turned = np.empty(most, np.int32), np.empty(most, values.dtype)
    firsts, free = np.empty(inputs + 1, np.int64), np.empty(inputs, np.int64)
    for begin in range(0, count, BLOCK):
        end = min(count, begin + BLOCK)
        # the block listed column by column, by counting
        firsts[:] = 0
        for q in range(starts[begin], starts[end]):
            firsts[columns[q] + 1] += 1
        for i in range(inputs):
            firsts[i + 1] += firsts[i]
            free[i] = firsts[i]
        for r in range(begin, end):
            for q in range(starts[r], starts[r + 1]):
                place = free[columns[q]]
                free[columns[q]] = place + 1
                rows[place] = r
                turned[place] = values[q]
        add_product(firsts, rows, turned, matrix, out)
