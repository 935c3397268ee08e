"""Elementwise ONNX nodes -> sums, factors and neurons of a NIR graph."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from onnx import TensorProto

from spikeport.common.errors import InputError

from .node import Node, Relu
from .values import Floats, Value

# types that store the network's numbers to 11 bits or more
_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)
# Clip's default bound until opset 10, which means none
_UNBOUNDED = float(np.finfo(np.float32).max)


def add(node: Node) -> Value:
    """Add, or Sum of any number: signals of one shape, and constants that are one number or one per channel."""
    indices = range(len(node.proto.input))
    values = [node.value(i) for i in indices if not node.is_constant(i)]
    if len({value.shape for value in values}) > 1:
        raise InputError(f"{node.label}: adds shapes {', '.join(str(v.shape) for v in values)}; make them equal")
    merged: dict[str, float] = {}
    for name, factor in (term for value in values for term in value.terms):
        merged[name] = merged.get(name, 0.0) + factor
    total = Value(tuple(merged.items()), values[0].shape)
    offsets = [_per_channel(node, node.constant(i), total) for i in indices if node.is_constant(i)]
    if not offsets:
        return total
    return node.walk.builder.scaled(total, np.ones(1), sum(offsets, np.zeros(1)), node.name)


def arithmetic(node: Node) -> Value:
    """Sub, Mul and Div with a constant that is one number, or one per channel."""
    second = node.is_constant(1)
    if not second and not node.is_constant(0):
        raise InputError(f"{node.label}: reads the network's signal twice; one of the two must be a constant")
    value, constant = (node.value(0), node.constant(1)) if second else (node.value(1), node.constant(0))
    each = _per_channel(node, constant, value)
    one, zero = np.ones(1), np.zeros(1)
    if node.kind == "Div" and (not second or np.any(each == 0)):
        raise InputError(f"{node.label}: divides by the network's signal, or by 0; no ReLU network does")
    if node.kind == "Sub":
        gain, offset = (one, -each) if second else (-one, each)
    else:
        gain, offset = (1 / each if node.kind == "Div" else each), zero
    return node.walk.builder.scaled(value, gain, offset, node.name)


def _per_channel(node: Node, constant: Floats, value: Value) -> Floats:
    """The constant as one number or one per channel; more axes than the signal's would change its shape."""
    rank = len(value.shape) + 1
    # the constant has no axis for the batch, or one of length 1
    aligned = constant.reshape([1] * (rank - constant.ndim) + list(constant.shape))
    if aligned.ndim == rank and (aligned.size == 1 or aligned.size == aligned.shape[1] == value.shape[0]):
        return aligned.reshape(-1)
    raise InputError(f"{node.label}: its constant {constant.shape} is not one number per channel of {value.shape}")


def relu(node: Node) -> Value:
    """Neurons."""
    return _neuron(node, math.inf)


def clip(node: Node) -> Value:
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


def _neuron(node: Node, ceiling: float) -> Value:
    value, walk = node.value(0), node.walk
    threshold = min(walk.thresholds[node.name], ceiling) if node.name in walk.thresholds else 1.0
    neurons = walk.builder.neuron(value, threshold, node.name)
    walk.relus.append(Relu(str(node.proto.input[0]), node.name, neurons.terms[0][0], ceiling))
    return neurons


def identity(node: Node) -> Value:
    """The signal unchanged."""
    return node.value(0)


def dropout(node: Node) -> Value:
    """The signal unchanged, in inference; ratio and seed have no effect there."""
    node.constant(1, 0.0)
    if np.any(node.constant(2, 0.0) != 0):
        raise InputError(
            f"{node.label}: has training_mode true, which drops at random; export the network in eval mode"
        )
    return node.value(0)


def cast(node: Node) -> Value:
    """The signal unchanged, for a floating-point type; saturate and round_mode only concern 8-bit types."""
    to = node.attributes["to"]
    if to not in _FLOATS:
        name = TensorProto.DataType.Name(to) if to in TensorProto.DataType.values() else to
        raise InputError(
            f"{node.label}: has to {name}, which does not keep the numbers; cast to FLOAT, or leave it out"
        )
    return node.value(0)


def softmax(node: Node) -> Value:
    """Left out at the end of the network, over all of a sample's numbers: the largest stays the largest."""
    value, walk = node.value(0), node.walk
    rank = len(value.shape) + 1
    axis = node.attributes["axis"]
    # until opset 12 this axis and those after it are merged
    merges = walk.opset < 13
    axis = (1 if merges else -1) if axis is None else axis
    if not -rank <= axis < rank:
        raise InputError(f"{node.label}: has axis {axis}, but its input has {rank} axes; export it again")
    index = axis % rank
    if index == 0 or (index != 1 if merges else value.shape[index - 1] != value.size):
        raise InputError(
            f"{node.label}: has axis {axis} of (N, {', '.join(map(str, value.shape))}); only over all of a "
            "sample's classes can it be left out"
        )
    if node.name not in walk.ends:
        raise InputError(f"{node.label}: is not the end of the network; spikes cannot compute it, leave it out")
    walk.notes.append(f"{node.label} is left out: it changes no winner")
    walk.answer = str(node.proto.input[0])
    return value
