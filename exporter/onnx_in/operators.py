"""Each ONNX operator of a ReLU network, in eval mode -> nodes of a NIR graph.

Source: the ONNX operator schemas, opset 7 to 21, default domain.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from hardware_profiles.errors import InputError

from .values import Floats, NirBuilder, Value

Thresholds = Mapping[str, float]
"""What a spike of each ReLU stands for, by the name of the tensor it puts out."""


@dataclass(frozen=True)
class Relu:
    """A ReLU: the tensor that it reads, the one that it puts out, its neurons in the NIR graph, and where it is cut."""

    before: str
    after: str
    node: str
    ceiling: float = math.inf


@dataclass
class Walk:
    """The state of reading a graph: what each tensor is, in NIR nodes or as a constant."""

    where: str
    thresholds: Thresholds
    readers: Mapping[str, int]
    builder: NirBuilder = field(default_factory=NirBuilder)
    values: dict[str, Value] = field(default_factory=dict)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    relus: list[Relu] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Node:
    """One ONNX node with its attributes, and how messages call it."""

    proto: onnx.NodeProto
    walk: Walk

    @property
    def name(self) -> str:
        """The tensor it puts out."""
        return str(self.proto.output[0])

    @property
    def label(self) -> str:
        """The node in messages."""
        return f"{self.walk.where}: {self.proto.op_type} node {(self.proto.name or self.name)!r}"

    def attribute(self, name: str, default: Any) -> Any:
        """An attribute's value."""
        found = next((a for a in self.proto.attribute if a.name == name), None)
        return default if found is None else helper.get_attribute_value(found)

    def value(self, index: int) -> Value:
        """An input that depends on the network's input; raises InputError for a constant."""
        name = self.proto.input[index]
        if name not in self.walk.values:
            raise InputError(f"{self.label}: its input {name!r} is a constant, where the network's signal is wanted")
        return self.walk.values[name]

    def constant(self, index: int, default: Any = None) -> Floats:
        """A constant input; raises InputError where it depends on the network's input."""
        if index >= len(self.proto.input) or not self.proto.input[index]:
            if default is None:
                raise InputError(f"{self.label}: lacks its input {index}; export the network again")
            return np.asarray(default, np.float64)
        name = self.proto.input[index]
        if name not in self.walk.constants:
            raise InputError(
                f"{self.label}: its input {name!r} is computed, but must be a constant; freeze the network"
            )
        values = np.asarray(self.walk.constants[name], np.float64)
        if not np.isfinite(values).all() and self.proto.op_type != "Clip":
            raise InputError(f"{self.label}: its constant {name!r} holds NaN or infinity; train or export it again")
        return values

    def is_constant(self, index: int) -> bool:
        """Whether an input is a constant."""
        return self.proto.input[index] in self.walk.constants

    def alone(self, index: int) -> bool:
        """Whether this node alone reads that input."""
        return self.walk.readers.get(self.proto.input[index], 0) == 1


Convert = Callable[[Node], Value]


def _gemm(node: Node) -> Value:
    if node.attribute("transA", 0):
        raise InputError(f"{node.label}: transposes its input; export the network with a plain Linear layer")
    weight = node.constant(1) * node.attribute("alpha", 1.0)
    weight = weight if node.attribute("transB", 0) else weight.T
    bias = node.constant(2, 0.0) * node.attribute("beta", 1.0)
    return _affine(node, weight, bias)


def _matmul(node: Node) -> Value:
    return _affine(node, node.constant(1).T, np.zeros(1))


def _affine(node: Node, weight: Floats, bias: Floats) -> Value:
    value = node.value(0)
    if weight.ndim != 2 or len(value.shape) != 1 or weight.shape[1] != value.size:
        raise InputError(f"{node.label}: weights {weight.T.shape} do not take a vector of {value.shape}; flatten first")
    each = np.broadcast_to(bias.reshape(-1), (len(weight),)).astype(np.float64)
    return node.walk.builder.affine(value, weight, each, node.name)


def _conv(node: Node) -> Value:
    value, weight = _image(node), node.constant(1)
    if weight.ndim != 4:
        raise InputError(f"{node.label}: is of {weight.ndim - 2} dimensions, but images have 2; use Conv2d")
    groups = int(node.attribute("group", 1))
    if weight.shape[1] * groups != value.shape[0]:
        raise InputError(f"{node.label}: weights {weight.shape} do not fit an image {value.shape}; export again")
    bias = np.broadcast_to(node.constant(2, 0.0).reshape(-1), (len(weight),)).astype(np.float64)
    return node.walk.builder.convolution(
        value, weight, bias, node.name, stride=_pair(node, "strides"), padding=_padding(node),
        dilation=_pair(node, "dilations"), groups=groups,
    )  # fmt: skip


def _batch_norm(node: Node) -> Value:
    scale, shift, mean, variance = (node.constant(i) for i in range(1, 5))
    if np.any(variance < 0):
        raise InputError(f"{node.label}: has a negative variance; export the network again")
    gain = scale / np.sqrt(variance + node.attribute("epsilon", 1e-5))
    return node.walk.builder.scaled(node.value(0), gain, shift - mean * gain, node.name, node.alone(0))


def _add(node: Node) -> Value:
    if any(map(node.is_constant, range(len(node.proto.input)))):
        return _arithmetic(node)
    values = [node.value(i) for i in range(len(node.proto.input))]
    if len({value.shape for value in values}) > 1:
        raise InputError(f"{node.label}: adds shapes {', '.join(str(v.shape) for v in values)}; make them alike")
    merged: dict[str, float] = {}
    for name, factor in (term for value in values for term in value.terms):
        merged[name] = merged.get(name, 0.0) + factor
    return Value(tuple(merged.items()), values[0].shape)


def _arithmetic(node: Node) -> Value:
    """Add, Sub, Mul and Div with a constant that is one number, or one a channel."""
    second = node.is_constant(1)
    value, constant = (node.value(0), node.constant(1)) if second else (node.value(1), node.constant(0))
    kind = node.proto.op_type
    each = _per_channel(node, constant, value)
    one, zero = np.ones(1), np.zeros(1)
    gains: dict[str, tuple[Floats, Floats]] = {"Add": (one, each), "Sum": (one, each), "Mul": (each, zero)}
    gains |= {"Sub": (one, -each) if second else (-one, each)}
    if kind == "Div":
        if not second or np.any(each == 0):
            raise InputError(f"{node.label}: divides by the network's signal, or by 0; no ReLU network does")
        gains["Div"] = (1 / each, zero)
    return node.walk.builder.scaled(value, *gains[kind], node.name, node.alone(0 if second else 1))


def _per_channel(node: Node, constant: Floats, value: Value) -> Floats:
    if constant.size == 1:
        return constant.reshape(-1)
    # the constant has no axis for the batch, or one of length 1
    aligned = constant.reshape([1] * (len(value.shape) + 1 - constant.ndim) + list(constant.shape))
    if aligned.ndim != len(value.shape) + 1 or aligned.shape[1] != value.shape[0] or aligned.size != value.shape[0]:
        raise InputError(f"{node.label}: its constant {constant.shape} is not one number a channel of {value.shape}")
    return aligned.reshape(-1)


def _relu(node: Node) -> Value:
    return _neuron(node, math.inf)


def _clip(node: Node) -> Value:
    low = node.attribute("min", None) if node.attribute("min", None) is not None else node.constant(1, -math.inf)
    high = node.attribute("max", None) if node.attribute("max", None) is not None else node.constant(2, math.inf)
    lowest, highest = float(np.asarray(low)), float(np.asarray(high))
    if lowest != 0 or not highest > 0:
        raise InputError(f"{node.label}: clips to {lowest} to {highest}; use Relu, or Clip from 0 on (ReLU6)")
    return _neuron(node, highest)


def _neuron(node: Node, ceiling: float) -> Value:
    value, walk = node.value(0), node.walk
    threshold = min(walk.thresholds.get(node.name, 1.0), ceiling)
    found = walk.builder.neuron(value, threshold, node.name)
    walk.relus.append(Relu(str(node.proto.input[0]), node.name, found.terms[0][0], ceiling))
    return found


def _average_pool(node: Node) -> Value:
    value = _image(node)
    if any(node.attribute("pads", (0,))) or node.attribute("ceil_mode", 0):
        raise InputError(f"{node.label}: pads or rounds its windows up; use windows that fit, without padding")
    if any(n != 1 for n in node.attribute("dilations", (1,))):
        raise InputError(f"{node.label}: has dilated windows; use plain ones")
    _check_auto_pad(node)
    return node.walk.builder.average(value, _pair(node, "kernel_shape"), _pair(node, "strides"), node.name)


def _global_average(node: Node) -> Value:
    value = _image(node)
    size = (value.shape[1], value.shape[2])
    return node.walk.builder.average(value, size, size, node.name)


def _mean(node: Node) -> Value:
    given = node.attribute("axes", None)
    axes = sorted(int(a) % 4 for a in (node.constant(1, ()).reshape(-1) if given is None else given))
    if axes != [2, 3] or len(node.value(0).shape) != 3:
        raise InputError(f"{node.label}: averages over axes {axes}; over height and width (2, 3) it can be done")
    found = _global_average(node)
    return found if node.attribute("keepdims", 1) else node.walk.builder.flat(found, f"{node.name}_flat")


def _flatten(node: Node) -> Value:
    if node.attribute("axis", 1) != 1:
        raise InputError(f"{node.label}: flattens the batch, too; use axis 1")
    return node.walk.builder.flat(node.value(0), node.name)


def _reshape(node: Node) -> Value:
    value = node.value(0)
    shape = [int(n) for n in node.constant(1).reshape(-1)]
    if len(shape) == 2 and shape[1] in (-1, value.size):
        return node.walk.builder.flat(value, node.name)
    wanted = _resolved(shape[1:], value.size)
    if wanted == value.shape:
        return value
    raise InputError(f"{node.label}: makes {value.shape} {tuple(shape[1:])}, but only flattening has a meaning here")


def _squeeze(node: Node) -> Value:
    return node.walk.builder.flat(_image(node, ones=True), node.name)


def _same(node: Node) -> Value:
    return node.value(0)


def _softmax(node: Node) -> Value:
    node.walk.notes.append(f"{node.label} is left out: it changes no winner")
    return node.value(0)


CONVERT: dict[str, Convert] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Conv": _conv,
    "BatchNormalization": _batch_norm,
    "Relu": _relu,
    "Clip": _clip,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average,
    "ReduceMean": _mean,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Add": _add,
    "Sum": _add,
    "Sub": _arithmetic,
    "Mul": _arithmetic,
    "Div": _arithmetic,
    "Identity": _same,
    "Dropout": _same,
    "Cast": _same,
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
}
WAYS_OUT = {
    "MaxPool": "a maximum of spike counts is no sum; train with average pooling or strided convolutions instead",
    "GlobalMaxPool": "a maximum of spike counts is no sum; train with average pooling instead",
    "Sigmoid": "spikes say what a ReLU says; train with ReLU instead",
    "Tanh": "spikes say what a ReLU says; train with ReLU instead",
    "LeakyRelu": "spikes say what a ReLU says; train with ReLU instead",
    "Gelu": "spikes say what a ReLU says; train with ReLU instead",
    "Pad": "give the padding to the convolution behind it",
    "QuantizeLinear": "give the float network; the chip's integers are found here",
    "DequantizeLinear": "give the float network; the chip's integers are found here",
}


def _image(node: Node, ones: bool = False) -> Value:
    value = node.value(0)
    if len(value.shape) != 3 or (ones and value.shape[1:] != (1, 1)):
        raise InputError(f"{node.label}: reads {value.shape}, but (channels, height, width) is wanted")
    return value


def _pair(node: Node, name: str) -> tuple[int, int]:
    values = tuple(int(n) for n in node.attribute(name, (1, 1)))
    if len(values) != 2 or min(values) < 1:
        raise InputError(f"{node.label}: has {name} {values}, but an image has two axes")
    return values[0], values[1]


def _padding(node: Node) -> tuple[int, int]:
    _check_auto_pad(node)
    top, left, bottom, right = (int(n) for n in node.attribute("pads", (0, 0, 0, 0)))
    if (top, left) != (bottom, right):
        raise InputError(f"{node.label}: pads {(top, left)} before and {(bottom, right)} behind; pad both ends alike")
    return top, left


def _check_auto_pad(node: Node) -> None:
    mode = node.attribute("auto_pad", b"NOTSET")
    if mode not in (b"NOTSET", b"VALID"):
        raise InputError(f"{node.label}: has auto_pad {mode.decode()}; export the network with its padding in numbers")


def _resolved(shape: list[int], size: int) -> tuple[int, ...]:
    known = math.prod(n for n in shape if n > 0)
    return tuple(size // max(known, 1) if n == -1 else n for n in shape)
