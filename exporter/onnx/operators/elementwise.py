"""Elementwise ONNX nodes -> sums, factors and neurons of a NIR graph."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from onnx import TensorProto

from spikeport.common.errors import InputError

from .node import Node, Relu
from .tensor import InputLayout, Tensor
from .values import Floats, Value

# types that store the network's numbers to 11 bits or more
_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)
# Clip's default bound until opset 10, which means none
_UNBOUNDED = float(np.finfo(np.float32).max)


def add(node: Node) -> Tensor:
    """Add, or Sum of any number: signals of one shape, and constants that are one number or one per channel."""
    indices = range(len(node.proto.input))
    tensors = [node.tensor(i) for i in indices if not node.is_constant(i)]
    if len({tensor.shape for tensor in tensors}) > 1:
        raise InputError(f"{node.label}: adds shapes {', '.join(node.shown(t) for t in tensors)}; make them equal")
    first = tensors[0]
    if any(not np.array_equal(tensor.order, first.order) for tensor in tensors):
        raise InputError(f"{node.label}: adds signals whose axes were moved differently; export it without Transpose")
    values = [tensor.value for tensor in tensors]
    if len({value.shape for value in values}) > 1:
        values = [node.walk.builder.flat(value, f"{node.name}_flat{i}") for i, value in enumerate(values)]
    merged: dict[str, float] = {}
    for name, factor in (term for value in values for term in value.terms):
        merged[name] = merged.get(name, 0.0) + factor
    total = first.with_value(Value(tuple(merged.items()), values[0].shape))
    constants = [node.constant(i) for i in indices if node.is_constant(i)]
    for constant in constants:
        if not _broadcasts(constant, total):
            raise InputError(_not_per_channel(node, constant, total))
    if not constants:
        return total
    offset = constants[0] if len(constants) == 1 else sum(constants, np.zeros(total.shape))
    return scaled(node, total, np.ones(1), offset)


def arithmetic(node: Node) -> Tensor:
    """Sub, Mul and Div with a constant that is one number, or one per channel."""
    second = node.is_constant(1)
    if not second and not node.is_constant(0):
        raise InputError(f"{node.label}: reads the network's signal twice; one of the two must be a constant")
    tensor, each = (node.tensor(0), node.constant(1)) if second else (node.tensor(1), node.constant(0))
    one, zero = np.ones(1), np.zeros(1)
    if node.kind == "Div" and (not second or np.any(each == 0)):
        raise InputError(f"{node.label}: divides by the network's signal, or by 0; no ReLU network does")
    if node.kind == "Sub":
        gain, offset = (one, -each) if second else (-one, each)
    else:
        gain, offset = (1 / each if node.kind == "Div" else each), zero
    return scaled(node, tensor, gain, offset)


def scaled(node: Node, tensor: Tensor, gain: Floats, offset: Floats) -> Tensor:
    """gain * signal + offset, each one number or one per channel of the value; raises InputError."""
    gains, offsets = _per_channel(node, gain, tensor), _per_channel(node, offset, tensor)
    return tensor.with_value(node.walk.builder.scaled(tensor.value, gains, offsets, node.name))


def _per_channel(node: Node, constant: Floats, tensor: Tensor) -> Floats:
    """The constant as one number per channel of the value; one that enlarges the signal is refused."""
    value = tensor.value
    if _broadcasts(constant, tensor):
        arranged = tensor.to_value(constant)
        each = arranged.reshape(value.shape[0], -1) if value.shape else arranged.reshape(1, 1)
        if np.all(each == each[:, :1]):
            return each[:, 0]
        if tensor.order.size == node.walk.input_size and len(tensor.shape) > 1:
            last = np.broadcast_to(constant, tensor.shape).reshape(-1, tensor.shape[-1])
            channels_last = len(tensor.shape) == 4 and np.all(last == last[:1])
            raise InputLayout(np.moveaxis(tensor.order, -1, 1) if channels_last else tensor.order.reshape(1, -1))
    raise InputError(_not_per_channel(node, constant, tensor))


def _broadcasts(constant: Floats, tensor: Tensor) -> bool:
    """Whether the signal keeps its shape in an operation with the constant."""
    pairs = zip(constant.shape[::-1], tensor.shape[::-1], strict=False)
    return constant.ndim <= len(tensor.shape) and all(n in (1, length) for n, length in pairs)


def _not_per_channel(node: Node, constant: Floats, tensor: Tensor) -> str:
    return f"{node.label}: its constant {constant.shape} is not one number per channel of {node.shown(tensor)}"


def relu(node: Node) -> Tensor:
    """Neurons."""
    return _neuron(node, math.inf)


def clip(node: Node) -> Tensor:
    """Neurons, if the lower bound is 0; bounds are attributes until opset 10, inputs from 11 on."""
    low, high = _bound(node, "min", 1, -math.inf), _bound(node, "max", 2, math.inf)
    if low != 0 or not high > 0:
        raise InputError(f"{node.label}: clips to {low} to {high}; use Relu, or Clip from 0 on (ReLU6)")
    return _neuron(node, high if high < _UNBOUNDED else math.inf)


def _bound(node: Node, name: str, index: int, default: float) -> float:
    given: Any = node.attributes[name]
    bound = node.constant(index, default) if given is None else np.asarray(given)
    if bound.size != 1:
        raise InputError(f"{node.label}: has {name} of shape {bound.shape}; give one number")
    return float(bound.reshape(()))


def _neuron(node: Node, ceiling: float) -> Tensor:
    tensor, walk = node.tensor(0), node.walk
    threshold = min(walk.thresholds[node.name], ceiling) if node.name in walk.thresholds else 1.0
    neurons = walk.builder.neuron(tensor.value, threshold, node.name)
    walk.relus.append(Relu(str(node.proto.input[0]), node.name, neurons.terms[0][0], ceiling))
    return tensor.with_value(neurons)


def identity(node: Node) -> Tensor:
    """The signal unchanged."""
    return node.padded(0)


def dropout(node: Node) -> Tensor:
    """The signal unchanged, in inference; ratio and seed have no effect there."""
    node.constant(1, 0.0)
    if np.any(node.constant(2, 0.0) != 0):
        raise InputError(
            f"{node.label}: has training_mode true, which drops at random; export the network in eval mode"
        )
    return node.padded(0)


def cast(node: Node) -> Tensor:
    """The signal unchanged, for a floating-point type; saturate and round_mode only concern 8-bit types."""
    check_cast(node)
    return node.padded(0)


def check_cast(node: Node) -> None:
    """Raises InputError for a type that does not keep the numbers."""
    to = node.attributes["to"]
    if to not in _FLOATS:
        name = TensorProto.DataType.Name(to) if to in TensorProto.DataType.values() else to
        raise InputError(
            f"{node.label}: has to {name}, which does not keep the numbers; cast to FLOAT, or leave it out"
        )
