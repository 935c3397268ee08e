"""Transposes 16 x 16 numbers in registers."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

SIDE = 16
_BYTE_POINTER, _INT32, _INT64 = ir.IntType(8).as_pointer(), ir.IntType(32), ir.IntType(64)
_ROW = ir.VectorType(_INT32, SIDE)


@intrinsic
def transpose(_context, source, first, step, target, start, distance):
    """For i and j below 16: target[start + distance * i + j] = source[first + step * j + i].

    source: contiguous, of 16 or 32 bit; target: contiguous, of 32 bit.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        width = signature.args[0].dtype.bitwidth
        source_data, target_data = (
            context.make_array(signature.args[n])(context, builder, arguments[n]).data for n in (0, 3)
        )
        source_row = ir.VectorType(ir.IntType(width), SIDE)

        def address(data: Any, start: Any, step: Any, number: int, kind: Any, size: int) -> Any:
            offset = builder.mul(builder.add(start, builder.mul(step, _INT64(number))), _INT64(size))
            moved = builder.gep(builder.bitcast(data, _BYTE_POINTER), [offset])
            return builder.bitcast(moved, kind.as_pointer())

        rows = []
        for number in range(SIDE):
            row = builder.load(
                address(source_data, arguments[1], arguments[2], number, source_row, width // 8), align=width // 8
            )
            rows.append(row if width == _INT32.width else builder.sext(row, _ROW))
        for half in (8, 4, 2, 1):
            # swap off-diagonal blocks, half as large each time
            low = [c if not c & half else SIDE + c - half for c in range(SIDE)]
            high = [c + half if not c & half else SIDE + c for c in range(SIDE)]
            for number in range(SIDE):
                if not number & half:
                    pair = rows[number], rows[number + half]
                    for which, lanes in ((number, low), (number + half, high)):
                        rows[which] = builder.shuffle_vector(*pair, ir.Constant(_ROW, lanes))
        for number, row in enumerate(rows):
            builder.store(row, address(target_data, arguments[4], arguments[5], number, _ROW, 4), align=4)
        return context.get_dummy_value()

    return types.void(source, first, step, target, start, distance), generate
