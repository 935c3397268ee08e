"""A network of float64 or float16, or of whole-numbered input, in float32, in which it is converted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

_OTHERS = (TensorProto.DOUBLE, TensorProto.FLOAT16)
_WHOLE = (
    TensorProto.UINT8,
    TensorProto.INT8,
    TensorProto.UINT16,
    TensorProto.INT16,
    TensorProto.INT32,
    TensorProto.INT64,
)
_NAMES = {TensorProto.DOUBLE: "float64", TensorProto.FLOAT16: "float16"}


def as_float32(model: onnx.ModelProto) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """The model with float32 in place of float64 and float16, and a note if it had those.

    Numbers beyond float32's become infinite and are refused by whoever reads them. Whole-numbered input that a Cast
    makes real first is taken as real numbers.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value.type.tensor_type for value in graph.input if value.name not in weights]
    found = {t.elem_type for t in (*inputs,)} | {tensor.data_type for tensor in graph.initializer}
    found |= {tensor.data_type for tensor in _constants(graph)}
    for value in graph.input:
        if value.type.tensor_type.elem_type in _WHOLE and value.name not in weights and _is_cast(graph, value.name):
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    kinds = [kind for kind in _OTHERS if kind in found]
    if not kinds:
        return result, ()
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type in _OTHERS:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    for tensor in (*graph.initializer, *_constants(graph)):
        if tensor.data_type in _OTHERS:
            tensor.CopyFrom(_rounded(tensor))
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i in _OTHERS:
                attribute.i = TensorProto.FLOAT
    return result, (f"it is of {' and '.join(_NAMES[kind] for kind in kinds)}, and converted in float32",)


def _constants(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """The tensors in nodes' attributes."""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t


def _rounded(tensor: onnx.TensorProto) -> onnx.TensorProto:
    with np.errstate(over="ignore"):
        return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name)


def _is_cast(graph: onnx.GraphProto, name: str) -> bool:
    """Whether every reader of a tensor makes it real."""
    readers = [node for node in graph.node if name in node.input]
    return bool(readers) and all(
        node.op_type == "Cast" and any(a.name == "to" and a.i in (TensorProto.FLOAT, *_OTHERS) for a in node.attribute)
        for node in readers
    )
