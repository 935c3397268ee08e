"""LLVM vector code for 64 compartments at once: Numba's own vectors are half as wide as the processor's."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils

LANES = 64
_VECTOR = 16
INT32, WORD = ir.IntType(32), ir.IntType(LANES)
BYTES = ir.IntType(8).as_pointer()
INTEGERS = ir.VectorType(INT32, LANES)
FLOATS = ir.VectorType(ir.FloatType(), LANES)
_BITS, _DOUBLES = ir.VectorType(ir.IntType(1), LANES), ir.VectorType(ir.DoubleType(), LANES)
# vmulps' code of rounding toward zero, without exceptions
_TOWARD_ZERO = 0x0B


def has_product(context: Any) -> bool:
    """Whether the target processor has a 32-bit product that rounds toward zero."""
    return "+avx512f" in context.codegen().magic_tuple()[2].split(",")


class Lanes:
    """Emit code for 64 lanes, of which the first `number` are active (all if it is None)."""

    def __init__(self, context: Any, builder: Any, number: Any) -> None:
        self._context, self._builder = context, builder
        self.has_short = has_product(context)
        self._there = None
        if number is not None:
            indices = ir.Constant(INTEGERS, list(range(LANES)))
            self._there = builder.icmp_unsigned("<", indices, self.all(builder.trunc(number, INT32)))

    def all(self, value: Any) -> Any:
        """The same number in every lane."""
        builder, first = self._builder, ir.Constant(INT32, 0)
        vector = builder.insert_element(ir.Constant(INTEGERS, ir.Undefined), value, first)
        return builder.shuffle_vector(vector, vector, ir.Constant(INTEGERS, [0] * LANES))

    def number(self, value: int) -> Any:
        """The same constant in every lane."""
        return ir.Constant(INTEGERS, [value] * LANES)

    def load(self, address: Any, kind: Any = INTEGERS) -> Any:
        """The lanes at an address; inactive ones are 0."""
        builder = self._builder
        if self._there is None:
            return builder.load(builder.bitcast(address, kind.as_pointer()), align=4)
        name = "i32" if kind is INTEGERS else "f32"
        function = self._function(kind, [kind.as_pointer(), INT32, _BITS, kind], f"llvm.masked.load.v{LANES}{name}.p0")
        zeros = ir.Constant(kind, [0] * LANES)
        align = ir.Constant(INT32, 4)
        return builder.call(function, [builder.bitcast(address, kind.as_pointer()), align, self._there, zeros])

    def store(self, values: Any, address: Any) -> None:
        """Write the active lanes."""
        builder, pointer = self._builder, INTEGERS.as_pointer()
        address = builder.bitcast(address, pointer)
        if self._there is None:
            builder.store(values, address, align=4)
            return
        arguments = [INTEGERS, pointer, INT32, _BITS]
        function = self._function(ir.VoidType(), arguments, f"llvm.masked.store.v{LANES}i32.p0")
        builder.call(function, [values, address, ir.Constant(INT32, 4), self._there])

    def there(self, bits: Any) -> Any:
        """The bits, with those of inactive lanes cleared."""
        return bits if self._there is None else self._builder.and_(bits, self._there)

    def word(self, bits: Any) -> Any:
        """One bit per lane as one integer."""
        return self._builder.bitcast(bits, WORD)

    def clamp(self, values: Any, low: int, high: int) -> Any:
        """values within low to high."""
        for operator, limit in (("<", low), (">", high)):
            bound = self.number(limit)
            values = self._builder.select(self._builder.icmp_signed(operator, values, bound), bound, values)
        return values

    def kept(self, state: Any, keep: Any, short: bool) -> Any:
        """toward_zero(state * keep); short: |state| is at most 2**24."""
        builder = self._builder
        if not (short and self.has_short):
            product = builder.fmul(builder.sitofp(state, _DOUBLES), builder.fpext(keep, _DOUBLES))
            return builder.fptosi(product, INTEGERS)
        vector = ir.VectorType(ir.FloatType(), _VECTOR)
        function = self._function(vector, [vector, vector, INT32], "llvm.x86.avx512.mul.ps.512")
        mode = ir.Constant(INT32, _TOWARD_ZERO)
        floats = builder.sitofp(state, FLOATS)
        parts = [
            builder.call(function, [self._lanes(floats, n, _VECTOR), self._lanes(keep, n, _VECTOR), mode])
            for n in range(0, LANES, _VECTOR)
        ]
        while len(parts) > 1:
            length = 2 * LANES // len(parts)
            indices = ir.Constant(ir.VectorType(INT32, length), list(range(length)))
            parts = [builder.shuffle_vector(*pair, indices) for pair in zip(parts[::2], parts[1::2], strict=True)]
        return builder.fptosi(parts[0], INTEGERS)

    def _lanes(self, values: Any, first: int, number: int) -> Any:
        indices = ir.Constant(ir.VectorType(INT32, number), list(range(first, first + number)))
        return self._builder.shuffle_vector(values, values, indices)

    def _function(self, result: Any, arguments: list[Any], name: str) -> Any:
        return cgutils.get_or_insert_function(self._builder.module, ir.FunctionType(result, arguments), name)


def place(builder: Any, array: Any, *indices: Any) -> Any:
    """The address of array[*indices], as bytes; indices: 64 bit, one per axis."""
    strides = cgutils.unpack_tuple(builder, array.strides)
    offset = builder.mul(strides[0], indices[0])
    for stride, index in zip(strides[1:], indices[1:], strict=True):
        offset = builder.add(offset, builder.mul(stride, index))
    return builder.gep(builder.bitcast(array.data, BYTES), [offset])
