"""Nodes that compute constants, and shapes with a free batch size N, as exporters write them around Reshape.

Constants are computed by onnxruntime. A shape that holds N is an array of whole numbers and multiples of N; nodes that
move these numbers, multiply and divide them are followed here. Others are refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from spikeport.common.errors import InputError, reason

from .attributes import FLAG, INT, INTS, Attribute, flag
from .batch import Batch
from .node import Node, Walk, label

Array = NDArray[Any]
# more numbers than any weights have
_LARGEST = 1 << 28
_LONGEST_SHAPE = 64

# computed by onnxruntime where all inputs are constants
COMPUTED = frozenset({
    "Abs", "Add", "Cast", "Concat", "ConstantOfShape", "Div", "Equal", "Expand", "Flatten", "Gather", "Greater",
    "Identity", "Less", "MatMul", "Max", "Min", "Mul", "Neg", "Not", "Pow", "Reciprocal", "ReduceProd", "ReduceSum",
    "Reshape", "Shape", "Size", "Slice", "Split", "Sqrt", "Squeeze", "Sub", "Transpose", "Unsqueeze", "Where",
})  # fmt: skip


def folds(proto: onnx.NodeProto, walk: Walk) -> bool:
    """Whether a node computes a constant: from constants, or the shape of a signal."""
    if proto.op_type == "Shape" and len(proto.input) == 1:
        return True
    return all(source in walk.constants or not source for source in proto.input)


def fold(proto: onnx.NodeProto, walk: Walk) -> list[Array]:
    """The node's outputs; raises InputError."""
    given = [walk.constants[source] for source in proto.input if source in walk.constants]
    if proto.op_type == "Shape" and not given:
        return [_shape(Node(proto, walk, {"start": Attribute(INT, 0), "end": Attribute(INT)}))]
    if any(each.dtype.kind == "O" for each in given):
        return [_followed(proto, walk)]
    name = label(proto, walk.context)
    if proto.op_type not in COMPUTED:
        raise InputError(f"{name}: computes a constant; export the network with constants folded")
    _check_size(proto, given, name)
    # these crash onnxruntime, and the process with it
    if proto.op_type == "Div" and given[-1].dtype.kind in "iu" and np.any((given[-1] == 0) | (given[-1] == -1)):
        raise InputError(f"{name}: divides whole numbers by 0 or -1; export the network with constants folded")
    return _computed(proto, walk, name)


def _computed(proto: onnx.NodeProto, walk: Walk, name: str) -> list[Array]:
    """One node by onnxruntime."""
    held = [numpy_helper.from_array(walk.constants[n], n) for n in dict.fromkeys(proto.input) if n]
    outputs = [onnx.ValueInfoProto(name=each) for each in proto.output if each]
    graph = helper.make_graph([proto], "constant", [], outputs, held)
    # the first version of the file format that knows the opset, at most onnxruntime's own
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", walk.opset)], ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return [np.asarray(array) for array in session.run(None, {})]
    except Exception as error:  # onnxruntime's exceptions have no common public base
        raise InputError(f"{name}: its constant cannot be computed ({reason(error)}); export it again") from error


def _check_size(proto: onnx.NodeProto, given: list[Array], name: str) -> None:
    """Raises InputError before a small file's node takes all memory."""
    sizes = [each.size for each in given]
    if proto.op_type in ("ConstantOfShape", "Expand"):
        sizes.append(abs(math.prod(int(n) for n in given[-1].reshape(-1)[:_LONGEST_SHAPE])) if given else 0)
        if proto.op_type == "Expand":
            sizes.append(sizes[0] * sizes[-1])
    elif proto.op_type not in ("Concat", "Gather", "Slice", "Split") and len(given) > 1:
        ranks = max(each.ndim for each in given)
        aligned = [(1,) * (ranks - each.ndim) + each.shape for each in given]
        sizes.append(math.prod(max(lengths) for lengths in zip(*aligned, strict=True)))
    elif proto.op_type == "Gather" and len(given) == 2:
        sizes.append(given[0].size * given[1].size)
    if max(sizes, default=0) > _LARGEST:
        raise InputError(f"{name}: computes {max(sizes):,} numbers, more than fits; use a smaller network")


def _shape(node: Node) -> Array:
    tensor = node.tensor(0)
    walk = node.walk
    lengths: list[Any] = list(tensor.shape)
    if walk.batched:
        lengths[0] = Batch() if walk.batch is None else walk.batch
    cut = lengths[slice(node.attributes["start"], node.attributes["end"])]
    return _array(cut, (len(cut),))


def _array(items: Any, shape: tuple[int, ...]) -> Array:
    """Whole numbers as int64; with N among them as objects."""
    flat = list(items)
    if not any(isinstance(item, Batch) for item in flat):
        return np.array([int(item) for item in flat], np.int64).reshape(shape)
    array = np.empty(len(flat), object)
    array[:] = flat
    return array.reshape(shape)


def _followed(proto: onnx.NodeProto, walk: Walk) -> Array:
    """A node on numbers of which some are N."""
    rule = _RULES.get(proto.op_type)
    name = label(proto, walk.context)
    if rule is None:
        raise InputError(f"{name}: computes with the batch size N; export the network with a fixed batch of 1")
    if len(proto.input) and max(walk.constants[n].size for n in proto.input if n in walk.constants) > _LONGEST_SHAPE:
        raise InputError(f"{name}: computes with the batch size N and many numbers; export it with a batch of 1")
    node = Node(proto, walk, rule.attributes)
    try:
        result = np.asarray(rule.compute(node))
        return _array(result.reshape(-1).tolist(), result.shape)
    except InputError:
        raise
    except Exception as error:  # numbers of a malicious file can fail anywhere in NumPy
        raise InputError(
            f"{name}: computes with the batch size N in a way that is not followed ({reason(error)}); export the "
            "network with a fixed batch of 1"
        ) from error


def _raw(node: Node, index: int) -> Array:
    return node.walk.constants[node.proto.input[index]]


def _given(node: Node, name: str, index: int) -> tuple[int, ...] | None:
    """A list of numbers as an attribute or an input, None if it is left out."""
    listed = node.attributes.get(name)
    if listed is None and node.has(index):
        listed = node.integers(index)
    return None if listed is None else tuple(int(n) for n in listed)


def _squeezed(node: Node) -> Array:
    axes = _given(node, "axes", 1)
    return _raw(node, 0).squeeze(axes) if axes is not None else _raw(node, 0).squeeze()


def _unsqueezed(node: Node) -> Array:
    return np.expand_dims(_raw(node, 0), _given(node, "axes", 1) or ())


def _sliced(node: Node) -> Array:
    array = _raw(node, 0)
    starts, ends = _given(node, "starts", 1), _given(node, "ends", 2)
    if starts is None or ends is None or node.has(4) or not (len(starts) == len(ends) == array.ndim == 1):
        raise ValueError("only plain slices of one axis are followed")
    if (_given(node, "axes", 3) or (0,)) not in ((0,), (-1,)):
        raise ValueError("axes")
    return array[starts[0] : ends[0]]


def _product(node: Node) -> Array:
    array = _raw(node, 0)
    if (
        array.ndim != 1
        or (_given(node, "axes", 1) or (0,)) not in ((0,), (-1,))
        or node.attributes["noop_with_empty_axes"]
    ):
        raise ValueError("only the product of all is followed")
    total: Any = 1
    for item in array.tolist():
        total = total * item
    shape = (1,) if node.attributes["keepdims"] else ()
    return _array([total], shape)


def _cast(node: Node) -> Array:
    if node.attributes["to"] not in (onnx.TensorProto.INT64, onnx.TensorProto.INT32):
        raise ValueError("only casts to whole numbers are followed")
    return _raw(node, 0)


def _concatenated(node: Node) -> Array:
    return np.concatenate([_raw(node, i) for i in range(len(node.proto.input))], axis=node.attributes["axis"])


def _reshaped(node: Node) -> Array:
    shape = node.integers(1)
    if 0 in shape:
        raise ValueError("a length of 0")
    return _raw(node, 0).reshape(shape)


@dataclass(frozen=True)
class _Rule:
    """How a node on such numbers is computed, and its attributes."""

    compute: Callable[[Node], Any]
    attributes: dict[str, Attribute]


_RULES = {
    "Identity": _Rule(lambda node: _raw(node, 0), {}),
    "Cast": _Rule(_cast, {"to": Attribute(INT), "saturate": flag(1)}),
    "Gather": _Rule(
        lambda node: np.take(_raw(node, 0), _raw(node, 1).astype(np.int64), axis=node.attributes["axis"]),
        {"axis": Attribute(INT, 0)},
    ),
    "Concat": _Rule(_concatenated, {"axis": Attribute(INT)}),
    "Slice": _Rule(_sliced, {name: Attribute(INTS) for name in ("starts", "ends", "axes")}),
    "Squeeze": _Rule(_squeezed, {"axes": Attribute(INTS)}),
    "Unsqueeze": _Rule(_unsqueezed, {"axes": Attribute(INTS)}),
    "Reshape": _Rule(_reshaped, {"allowzero": FLAG}),
    "Mul": _Rule(lambda node: _raw(node, 0) * _raw(node, 1), {}),
    "Div": _Rule(lambda node: _raw(node, 0) // _raw(node, 1), {}),
    "ReduceProd": _Rule(_product, {"axes": Attribute(INTS), "keepdims": flag(1), "noop_with_empty_axes": FLAG}),
}
