"""The end of a classifier: what changes no winner is taken off, and the answer is what came before it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from spikeport.common.errors import InputError

from .attributes import FLOAT, INT, INTS, STRING, STRINGS, Attribute, flag
from .elementwise import check_cast
from .node import Node, Operator, Walk, label
from .tensor import Tensor

# operators that only rename or reshape their input 0
ALIASES = ("Identity", "Dropout", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose")
TAKEN_OFF = ("Softmax", "LogSoftmax", "Sigmoid", "Tanh", "ArgMax")
_BEHIND = ("Normalizer", "ZipMap")
_LABELS = "ArrayFeatureExtractor"
TWO_CLASSES = np.array([[-1.0, 1.0]], np.float32)


def ends_of(graph: onnx.GraphProto, output: str, readers: Mapping[str, int]) -> frozenset[str]:
    """The graph's output, and the tensors that lead to it through nodes of an ending, and to nothing else."""
    sources = {str(node.output[0]): _source(node) for node in graph.node if node.output}
    ends, name = list[str](), output
    while readers.get(name, 0) == 1 and name not in ends:
        ends.append(name)
        name = sources.get(name, "")
    return frozenset(ends)


def _source(node: onnx.NodeProto) -> str:
    """The signal that a node of an ending reads, "" for another node."""
    if node.op_type == _LABELS and len(node.input) == 2:
        return str(node.input[1])
    return str(node.input[0]) if node.op_type in (*ALIASES, *TAKEN_OFF, *_BEHIND) and node.input else ""


def softmax(node: Node) -> Tensor:
    """Taken off at the end of the network, over all of a sample's numbers: the largest stays the largest."""
    tensor, walk = node.tensor(0), node.walk
    rank = len(tensor.shape)
    axis = node.attributes["axis"]
    # until opset 12 this axis and those after it are merged
    merges = walk.opset < 13
    axis = (1 if merges else -1) if axis is None else axis
    _check_axis(node, tensor, axis)
    before = tensor.shape[: axis % rank] if merges else (*tensor.shape[: axis % rank], *tensor.shape[axis % rank + 1 :])
    if (walk.batched and axis % rank == 0) or any(n != 1 for n in before):
        raise InputError(
            f"{node.label}: has axis {axis} of {node.shown(tensor)}; only over all of a sample's classes can it be "
            "left out"
        )
    return _taken_off(node, tensor)


def sigmoid(node: Node) -> Tensor:
    """Taken off at the end of the network: it grows with its input, so the largest stays the largest.

    One number z alone becomes the two classes -z and z: sigmoid(z) is above 1/2 where z is above 0.
    """
    return _taken_off(node, node.tensor(0))


def tanh(node: Node) -> Tensor:
    """Taken off at the end of the network: it grows with its input, so the largest stays the largest.

    One number alone is a value, not a winner, and stays refused.
    """
    tensor = node.tensor(0)
    if tensor.order.size == 1:
        raise InputError(
            f"{node.label}: squashes the only output, whose value is the answer; end with the layer before"
        )
    return _taken_off(node, tensor)


def argmax(node: Node) -> Tensor:
    """Taken off at the end of the network, over all of a sample's numbers: the answer's winner is its number."""
    tensor = node.tensor(0)
    axis = node.attributes["axis"]
    _check_axis(node, tensor, axis)
    _check_all(node, tensor, axis)
    return _taken_off(node, tensor)


def _check_axis(node: Node, tensor: Tensor, axis: int) -> None:
    rank = len(tensor.shape)
    if not -rank <= axis < rank:
        raise InputError(f"{node.label}: has axis {axis}, but its input has {rank} axes; export it again")


def _check_all(node: Node, tensor: Tensor, axis: int) -> None:
    if (node.walk.batched and axis % len(tensor.shape) == 0) or tensor.shape[axis] != tensor.order.size:
        raise InputError(
            f"{node.label}: has axis {axis} of {node.shown(tensor)}; only over all of a sample's classes can it be "
            "left out"
        )


def _taken_off(node: Node, tensor: Tensor) -> Tensor:
    walk = node.walk
    if node.name not in walk.ends:
        raise InputError(
            f"{node.label}: is not the end of the network; spikes represent only a ReLU; train with ReLU instead"
        )
    walk.answer = str(node.proto.input[0])
    walk.notes.append(f"{node.label} is left out: it changes no winner")
    if node.kind == "Sigmoid" and tensor.order.size == 1:
        walk.notes[-1] = f"{node.label} is left out, its two classes are the outputs -z and z: it changes no winner"
        return _two_classes(node, tensor)
    return tensor


def _two_classes(node: Node, tensor: Tensor) -> Tensor:
    """-z and z, which the ANN's graph also computes."""
    walk, weights = node.walk, f"{node.name}_signs"
    walk.answer = f"{node.name}_two_classes"
    walk.added_weights.append(numpy_helper.from_array(TWO_CLASSES, weights))
    walk.added_nodes.append(helper.make_node("MatMul", [node.proto.input[0], weights], [walk.answer]))
    value = walk.builder.affine(tensor.value, TWO_CLASSES.T.astype(np.float64), np.zeros(2), walk.answer)
    return Tensor(value, np.arange(2).reshape(*tensor.shape[:-1], 2))


_AXES = Attribute(INTS)
_ONLY_FIRST = Attribute(INT, 0, (0,), "leave it at 0, the first of equal numbers")
ARGMAX = Operator(argmax, 1, 1, {"axis": Attribute(INT, 0), "keepdims": flag(1), "select_last_index": _ONLY_FIRST})
# behind a Softmax or a Sigmoid
BEHIND_SCORES: dict[str, Mapping[str, Attribute]] = {
    "Identity": {}, "Cast": {"to": Attribute(INT), "saturate": flag(1), "round_mode": Attribute(STRING)},
    "Dropout": {"ratio": Attribute(FLOAT), "seed": Attribute(INT)},
    "Normalizer": {"norm": Attribute(STRING, "MAX", ("MAX", "L1", "L2"))},
    "ZipMap": {"classlabels_int64s": Attribute(INTS), "classlabels_strings": Attribute(STRINGS)},
    "ArgMax": ARGMAX.attributes,
}  # fmt: skip
# behind an ArgMax, where numbers are classes
_BEHIND_CLASSES = frozenset({"Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", _LABELS})
# types that hold the number of any class
_LABEL_TYPES = (TensorProto.INT64, TensorProto.INT32, TensorProto.FLOAT, TensorProto.DOUBLE)
_DOMAINS = {"Normalizer": "ai.onnx.ml", "ZipMap": "ai.onnx.ml", _LABELS: "ai.onnx.ml"}


def is_behind_the_end(proto: onnx.NodeProto, walk: Walk) -> bool:
    """Whether a node reads what was taken off."""
    return any(name in walk.taken_off for name in proto.input)


def skip(proto: onnx.NodeProto, walk: Walk) -> None:
    """Leave out a node behind the end, if it changes no winner; raises InputError for another."""
    name, source = label(proto, walk.context), _source(proto)
    tensor = walk.taken_off.get(source)
    kind = str(proto.op_type)
    own_domain = proto.domain in (("", "ai.onnx") if kind not in _DOMAINS else (_DOMAINS[kind],))
    classes = source in walk.classes
    known = kind in _BEHIND_CLASSES if classes else kind in BEHIND_SCORES
    if tensor is None or not known or not own_domain or str(proto.output[0]) not in walk.ends:
        raise InputError(
            f"{name}: reads what is left out at the end, and is not the end of the network itself; leave it out"
        )
    if not classes:
        node = Node(proto, walk, BEHIND_SCORES[kind])
        if kind == "Cast":
            check_cast(node)
        if kind == "Dropout" and len(proto.input) > 2:
            raise InputError(f"{name}: may drop at random; export the network in eval mode")
        if kind == "ArgMax":
            _check_axis(node, tensor, node.attributes["axis"])
            _check_all(node, tensor, node.attributes["axis"])
            walk.notes.append(f"{name} is left out: it changes no winner")
    elif kind == "Cast" and Node(proto, walk, BEHIND_SCORES[kind]).attributes["to"] not in _LABEL_TYPES:
        raise InputError(f"{name}: casts classes to a type that does not hold them all; cast to INT64")
    if kind == _LABELS:
        _note_labels(proto, walk)
    walk.taken_off[str(proto.output[0])] = tensor
    if classes or kind == "ArgMax":
        walk.classes.add(str(proto.output[0]))


def _note_labels(proto: onnx.NodeProto, walk: Walk) -> None:
    """Say what the winner's number means, if it is not the class itself."""
    labels = walk.constants.get(str(proto.input[0]))
    if labels is None or labels.size > 1000:
        raise InputError(f"{label(proto, walk.context)}: its labels are not a list of constants; leave it out")
    flat = labels.reshape(-1)
    if flat.dtype.kind not in "iuf" or not np.array_equal(flat, np.arange(flat.size)):
        named = ", ".join(str(each.decode() if isinstance(each, bytes) else each) for each in flat[:8].tolist())
        walk.notes.append(f"the outputs stand for the classes {named}{', ...' if flat.size > 8 else ''}, in this order")
