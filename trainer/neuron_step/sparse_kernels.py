"""Products with a matrix that is mostly 0, as compiled loops over its nonzero entries.

A listed matrix (R, C) is three arrays (CSR): `starts` (R + 1), and `columns` and `values` of the nonzero entries, row
by row.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from spikeport.common.compiled import njit

# rows whose gradients stay in the cache
BLOCK = 256
# rows that are still in the cache when sums are added to them after zeroing
ZEROED = 16
# values that are compared with 0 at once
WORD = 64


@intrinsic
def entries(_context, row, _index):
    """entries(row, index): bit j is set if value index + j of a contiguous row is not 0."""

    def generate(context, builder, signature, arguments):
        kind = ir.VectorType(context.get_value_type(signature.args[0].dtype), WORD)
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.bitcast(builder.gep(data, [arguments[1]]), kind.as_pointer())
        values = builder.load(address, align=1)
        return builder.bitcast(builder.fcmp_unordered("!=", values, ir.Constant(kind, [0.0] * WORD)), ir.IntType(WORD))

    return types.uint64(row, types.intp), generate


@intrinsic
def lowest_bit(_context, _word):
    """The index of the lowest set bit of a word that is not 0."""

    def generate(_, builder, __, arguments):
        kind = ir.FunctionType(ir.IntType(WORD), [ir.IntType(WORD), ir.IntType(1)])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.cttz.i64")
        return builder.call(function, [arguments[0], ir.Constant(ir.IntType(1), 1)])

    return types.uint64(types.uint64), generate


@njit(cache=True, nogil=True, error_model="numpy")
def list_entries(matrix, starts, columns, values):
    """List a contiguous matrix; returns the number of entries. columns, values: as large as the matrix."""
    count, inputs = matrix.shape
    one = np.uint64(1)
    k = 0
    for r in range(count):
        starts[r] = k
        row = matrix[r]
        words = inputs // WORD
        for start in range(0, words * WORD, WORD):
            word = entries(row, start)
            while word != 0:
                i = start + np.int64(lowest_bit(word))
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
        q, stop = starts[r], starts[r + 1]
        # eight at a time: a sum is read and written once for eight rows
        while q + 8 <= stop:
            a, b, c, d = columns[q], columns[q + 1], columns[q + 2], columns[q + 3]
            e, f, g, h = columns[q + 4], columns[q + 5], columns[q + 6], columns[q + 7]
            xa, xb, xc, xd = values[q], values[q + 1], values[q + 2], values[q + 3]
            xe, xf, xg, xh = values[q + 4], values[q + 5], values[q + 6], values[q + 7]
            for n in range(size):
                first = (xa * matrix[a, n] + xb * matrix[b, n]) + (xc * matrix[c, n] + xd * matrix[d, n])
                second = (xe * matrix[e, n] + xf * matrix[f, n]) + (xg * matrix[g, n] + xh * matrix[h, n])
                out[r, n] += first + second
            q += 8
        while q + 2 <= stop:
            a, b = columns[q], columns[q + 1]
            xa, xb = values[q], values[q + 1]
            for n in range(size):
                out[r, n] += xa * matrix[a, n] + xb * matrix[b, n]
            q += 2
        if q < stop:
            a = columns[q]
            xa = values[q]
            for n in range(size):
                out[r, n] += xa * matrix[a, n]


@njit(cache=True, nogil=True, error_model="numpy")
def product(starts, columns, values, matrix, out):
    """out = listed @ matrix, for a listed (R, C), matrix (C, N) and out (R, N)."""
    count = len(starts) - 1
    for start in range(0, count, ZEROED):
        stop = min(count, start + ZEROED)
        out[start:stop] = 0
        add_product(starts[start : stop + 1], columns, values, matrix, out[start:stop])


@njit(cache=True, nogil=True, error_model="numpy")
def add_transposed_product(starts, columns, values, matrix, out):
    """out += listed.T @ matrix, for a listed (R, C), matrix (R, N) and out (C, N)."""
    count, inputs = len(starts) - 1, len(out)
    most = 0
    for start in range(0, count, BLOCK):
        most = max(most, starts[min(count, start + BLOCK)] - starts[start])
    rows, transposed = np.empty(most, np.int32), np.empty(most, values.dtype)
    firsts, free = np.empty(inputs + 1, np.int64), np.empty(inputs, np.int64)
    for start in range(0, count, BLOCK):
        stop = min(count, start + BLOCK)
        # list the block column by column (counting sort)
        firsts[:] = 0
        for q in range(starts[start], starts[stop]):
            firsts[columns[q] + 1] += 1
        for i in range(inputs):
            firsts[i + 1] += firsts[i]
            free[i] = firsts[i]
        for r in range(start, stop):
            for q in range(starts[r], starts[r + 1]):
                k = free[columns[q]]
                free[columns[q]] = k + 1
                rows[k] = r
                transposed[k] = values[q]
        add_product(firsts, rows, transposed, matrix, out)
