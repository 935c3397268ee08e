"""Each quantised operator in floating point.

Sources: the ONNX operator schemas; onnxruntime, docs/ContribOperators.md, for the domain com.microsoft.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
from onnx import helper

from spikeport.common.errors import InputError
from spikeport.exporter.onnx.operators.node import label

from .float_model import Rewrite, Rewriting, Scaled
from .number_format import Array, NumberFormat, dequantised, number_format, quantised


def quantize_linear(node: onnx.NodeProto, writing: Rewriting) -> bool:
    """A signal saturates at the ends of its range; weights, which are a constant, are rounded."""
    name, given = _label(node, writing), _attributes(node, writing, axis=1, saturate=1, output_dtype=0, precision=0)
    source, output = node.input[0], node.output[0]
    scale, zero = _constant(node, 1, writing), _optional(node, 2, writing)
    if zero is None and given["output_dtype"]:
        zero = np.zeros((), helper.tensor_dtype_to_np_dtype(given["output_dtype"]))
    if source in writing.constants:
        writing.constants[output] = quantised(writing.constants[source], scale, zero, given["axis"], name)
    else:
        writing.saturate(source, output, number_format(scale, zero, name))
    return True


def dequantize_linear(node: onnx.NodeProto, writing: Rewriting) -> bool:
    """Integers as numbers; a signal is one already."""
    name, given = _label(node, writing), _attributes(node, writing, axis=1, output_dtype=0)
    source, output = node.input[0], node.output[0]
    scale, zero = _constant(node, 1, writing), _optional(node, 2, writing)
    if source in writing.constants:
        numbers = dequantised(writing.constants[source], scale, zero, given["axis"], name)
        writing.store(output, numbers)
        return True
    _signal(node, 0, number_format(scale, zero, name), writing)
    writing.add("Identity", [source], output)
    for names in (writing.positive, writing.entered):
        names.update([output] if source in names else [])
    return True


def dynamic_quantize_linear(node: onnx.NodeProto, writing: Rewriting) -> bool:
    """The signal itself; its scale is known by the name of the signal."""
    _attributes(node, writing)
    integers, scale, zero = node.output
    writing.add("Identity", [node.input[0]], integers)
    writing.scales[scale] = Scaled(integers, np.ones(()))
    writing.zero_points[zero] = integers
    writing.rounded += 1
    return True


def integer_product(node: onnx.NodeProto, writing: Rewriting) -> bool:
    """MatMulInteger and ConvInteger of dynamically quantised signals: sums that a Mul scales later."""
    name = _label(node, writing)
    signal, weight = node.input[0], _constant(node, 1, writing)
    if len(node.input) < 3 or writing.zero_points.get(node.input[2]) != signal:
        raise InputError(f"{name}: reads {signal!r} without its zero point; quantise it with onnxruntime's own tools")
    axis = 0 if node.op_type == "ConvInteger" else weight.ndim - 1
    zero = _optional(node, 3, writing)
    whole = dequantised(weight, np.ones(1 if zero is None else zero.shape), zero, axis, name)
    weights = writing.constant(f"{node.output[0]}_weight", whole)
    kind = "Conv" if node.op_type == "ConvInteger" else "MatMul"
    writing.add(kind, [signal, weights], node.output[0], node)
    writing.sums[node.output[0]] = signal
    return True


def cast(node: onnx.NodeProto, writing: Rewriting) -> bool:
    """Integer sums are numbers already; any other Cast is left as it is."""
    if node.input[0] not in writing.sums:
        return False
    writing.sums[node.output[0]] = writing.sums[node.input[0]]
    writing.add("Identity", [node.input[0]], node.output[0])
    return True


def multiply(node: onnx.NodeProto, writing: Rewriting) -> bool:
    """A product of scales, or integer sums times their scale; any other Mul is left as it is."""
    output = node.output[0]
    scales = [name for name in node.input if name in writing.scales]
    sums = [name for name in node.input if name in writing.sums]
    others = [writing.constants[name] for name in node.input if name in writing.constants]
    if len(scales) == len(others) == 1:
        scaled = writing.scales[scales[0]]
        writing.scales[output] = Scaled(scaled.source, scaled.factor * np.asarray(others[0], np.float64))
    elif len(scales) == len(sums) == 1 and writing.scales[scales[0]].source == writing.sums[sums[0]]:
        factor = np.asarray(writing.scales[scales[0]].factor, np.float32)
        writing.add("Mul", [sums[0], writing.constant(f"{output}_scale", factor)], output)
    elif scales or sums:
        raise InputError(
            f"{_label(node, writing)}: multiplies integers by another scale than theirs; quantise it with "
            "onnxruntime's own tools"
        )
    else:
        return False
    return True


def qlinear_conv(node: onnx.NodeProto, writing: Rewriting) -> bool:
    """x, its format, w, its format, the output's format, and the bias in units of both scales."""
    return product(node, writing, "Conv", weight_axis=0, signal_at=0, weight_at=3, output_at=6, bias_at=8)


def qlinear_matmul(node: onnx.NodeProto, writing: Rewriting) -> bool:
    """a, its format, b, its format, the output's format."""
    return product(node, writing, "MatMul", weight_axis=-1, signal_at=0, weight_at=3, output_at=6, bias_at=None)


def qgemm(node: onnx.NodeProto, writing: Rewriting) -> bool:
    """a, its format, b, its format, the bias in units of both scales, the output's format or none."""
    given = _attributes(node, writing, alpha=1.0, transA=0, transB=0)
    if given["alpha"] != 1.0:
        raise InputError(f"{_label(node, writing)}: has alpha {given['alpha']}; quantise a plain Linear layer")
    return product(
        node,
        writing,
        "Gemm",
        weight_axis=0 if given["transB"] else -1,
        signal_at=0,
        weight_at=3,
        output_at=7,
        bias_at=6,
    )


def product(
    node: onnx.NodeProto,
    writing: Rewriting,
    kind: str,
    *,
    weight_axis: int,
    signal_at: int,
    weight_at: int,
    output_at: int,
    bias_at: int | None,
) -> bool:
    """A layer of weights in integers, each operand followed by its scale and zero point."""
    name, output = _label(node, writing), node.output[0]
    entering = _format_at(node, signal_at + 1, writing)
    _signal(node, signal_at, entering, writing)
    scale, zero = _constant(node, weight_at + 1, writing), _optional(node, weight_at + 2, writing)
    numbers = dequantised(_constant(node, weight_at, writing), scale, zero, weight_axis, name)
    inputs = [node.input[signal_at], writing.constant(f"{output}_weight", numbers)]
    bias = None if bias_at is None else _optional(node, bias_at, writing)
    if bias is not None:
        units = np.asarray(scale, np.float64) * entering.scale
        inputs.append(writing.constant(f"{output}_bias", dequantised(bias.reshape(-1), units, None, 0, name)))
    result = writing.unused(f"{output}_float")
    writing.add(kind, inputs, result, node)
    return _ended(node, result, output_at, writing)


def qlinear_add(node: onnx.NodeProto, writing: Rewriting) -> bool:
    """Two operands with their formats, and the output's format; a constant operand becomes numbers."""
    operands = []
    for at in (0, 3):
        if node.input[at] in writing.constants:
            scale, zero = _constant(node, at + 1, writing), _optional(node, at + 2, writing)
            numbers = dequantised(writing.constants[node.input[at]], scale, zero, 0, _label(node, writing))
            operands.append(writing.constant(f"{node.output[0]}_constant", numbers))
        else:
            _signal(node, at, _format_at(node, at + 1, writing), writing)
            operands.append(node.input[at])
    _attributes(node, writing)
    result = writing.unused(f"{node.output[0]}_float")
    writing.add("Add", operands, result)
    if all(name in writing.positive for name in operands):
        writing.positive.add(result)
    return _ended(node, result, 6, writing)


def qlinear_pool(node: onnx.NodeProto, writing: Rewriting) -> bool:
    """Averages of one operand; the format of the input, then that of the output."""
    source, result = node.input[0], writing.unused(f"{node.output[0]}_float")
    _signal(node, 0, _format_at(node, 1, writing), writing)
    kept = onnx.NodeProto(name=node.name)
    for given in node.attribute:
        if given.name != "channels_last":
            kept.attribute.append(given)
        elif given.i:
            raise InputError(f"{_label(node, writing)}: has channels_last 1; quantise it with channels first")
    writing.add(node.op_type.removeprefix("QLinear"), [source], result, kept)
    if source in writing.positive:
        writing.positive.add(result)
    return _ended(node, result, 3, writing)


def qlinear_concat(node: onnx.NodeProto, writing: Rewriting) -> bool:
    """The output's format, then each operand with its format."""
    operands = list(node.input[2::3])
    for number, operand in enumerate(operands):
        if operand in writing.constants:
            raise InputError(f"{_label(node, writing)}: joins a constant; export the network with signals alone")
        _signal(node, 2 + 3 * number, _format_at(node, 3 + 3 * number, writing), writing)
    result = writing.unused(f"{node.output[0]}_float")
    writing.add("Concat", operands, result, node)
    if all(name in writing.positive for name in operands):
        writing.positive.add(result)
    return _ended(node, result, 0, writing)


def reshape(node: onnx.NodeProto, writing: Rewriting) -> bool:
    """A bias in another shape is a constant; any other Reshape is left as it is."""
    if len(node.input) != 2 or node.attribute or not all(name in writing.constants for name in node.input):
        return False
    values, shape = (writing.constants[name] for name in node.input)
    lengths = [int(n) for n in np.asarray(shape).reshape(-1)]
    lengths = [values.shape[i] if n == 0 and i < values.ndim else n for i, n in enumerate(lengths)]
    writing.store(node.output[0], values.reshape(lengths))
    return True


def _ended(node: onnx.NodeProto, result: str, at: int, writing: Rewriting) -> bool:
    """The output as integers, or as it is where the node names no format."""
    output = node.output[0]
    if at >= len(node.input) or not node.input[at]:
        writing.add("Identity", [result], output)
    else:
        writing.saturate(result, output, _format_at(node, at, writing))
    return True


def _format_at(node: onnx.NodeProto, at: int, writing: Rewriting) -> NumberFormat:
    return number_format(_constant(node, at, writing), _optional(node, at + 1, writing), _label(node, writing))


def _signal(node: onnx.NodeProto, at: int, expected: NumberFormat, writing: Rewriting) -> None:
    """Check that an input is a signal of this format; otherwise its integers would mean other numbers."""
    name = node.input[at]
    actual = writing.formats.get(name)
    if actual is None:
        raise InputError(f"{_label(node, writing)}: reads {name!r}, which no QuantizeLinear made; quantise it again")
    same = math.isclose(actual.scale, expected.scale, rel_tol=1e-6) and actual.zero_point == expected.zero_point
    if not same:
        raise InputError(
            f"{_label(node, writing)}: reads {name!r} with another scale or zero point than it was quantised with; "
            "quantise it again"
        )


def _constant(node: onnx.NodeProto, at: int, writing: Rewriting) -> Array:
    values = _optional(node, at, writing)
    if values is None:
        raise InputError(f"{_label(node, writing)}: lacks its input {at}; quantise the network again")
    return values


def _optional(node: onnx.NodeProto, at: int, writing: Rewriting) -> Array | None:
    if at >= len(node.input) or not node.input[at]:
        return None
    if node.input[at] not in writing.constants:
        raise InputError(
            f"{_label(node, writing)}: its input {node.input[at]!r} is computed, but must be a constant; quantise the "
            "network statically, or with onnxruntime's quantize_dynamic"
        )
    return writing.constants[node.input[at]]


def _attributes(node: onnx.NodeProto, writing: Rewriting, **known: Any) -> dict[str, Any]:
    """The attributes with their defaults; raises InputError for any other, unless it is 0."""
    values = dict(known)
    for given in node.attribute:
        value = helper.get_attribute_value(given)
        if given.name not in known and value != 0:
            raise InputError(f"{_label(node, writing)}: has {given.name} {value}; quantise per tensor or per channel")
        values[given.name] = value
    return values


def _label(node: onnx.NodeProto, writing: Rewriting) -> str:
    return label(node, writing.context)


FORMS: dict[str, Rewrite] = {
    "QuantizeLinear": quantize_linear, "DequantizeLinear": dequantize_linear,
    "DynamicQuantizeLinear": dynamic_quantize_linear, "MatMulInteger": integer_product,
    "ConvInteger": integer_product, "QLinearConv": qlinear_conv, "QLinearMatMul": qlinear_matmul, "QGemm": qgemm,
    "QLinearAdd": qlinear_add, "QLinearAveragePool": qlinear_pool, "QLinearGlobalAveragePool": qlinear_pool,
    "QLinearConcat": qlinear_concat,
    # of dynamic quantisation: scales, sums and biases; elsewhere they stay
    "Cast": cast, "Mul": multiply, "Reshape": reshape,
}  # fmt: skip
