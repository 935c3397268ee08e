"""An ONNX node as converters see it, and the state of reading a graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from spikeport.common.errors import InputError

from .attributes import Attribute, checked
from .batch import Batch
from .tensor import InputLayout, Order, Tensor, counting, shown, tensor_of
from .values import Floats, NirBuilder, Value

Thresholds = Mapping[str, float]
"""The value of a spike of each ReLU, by name of its output tensor."""


@dataclass(frozen=True)
class Relu:
    """A ReLU: its input and output tensors, its neurons in the NIR graph, and its upper bound."""

    before: str
    after: str
    node: str
    ceiling: float = math.inf


@dataclass
class Walk:
    """The state of reading a graph: each tensor as NIR nodes or as a constant.

    readers: number of nodes that read each tensor, plus one for the graph's output; ends: tensors that lead to the
    graph's output and to nothing else; answer: the tensor that is converted as the output; batch: None if free.
    batched: whether the first axis counts samples; else the whole input is one sample.
    input_size: elements of a sample, while the input's layout may still be chosen; 0 after that.
    taken_off: tensors behind the answer, by the tensor that the first was computed from; classes: those of them that
    are numbers of classes; added_nodes, added_weights: what computes the answer in the ANN's graph.
    """

    context: str
    thresholds: Thresholds
    readers: Mapping[str, int]
    ends: frozenset[str]
    answer: str
    opset: int
    batch: int | None
    batched: bool = True
    input_size: int = 0
    builder: NirBuilder = field(default_factory=NirBuilder)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    relus: list[Relu] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    taken_off: dict[str, Tensor] = field(default_factory=dict)
    classes: set[str] = field(default_factory=set)
    added_nodes: list[onnx.NodeProto] = field(default_factory=list)
    added_weights: list[onnx.TensorProto] = field(default_factory=list)

    def put(self, name: str, result: Value | Tensor) -> None:
        """Store a tensor; if several nodes read it, its NIR nodes may not be changed in place."""
        tensor = result if isinstance(result, Tensor) else tensor_of(result)
        self.tensors[name] = tensor
        if self.readers.get(name, 0) > 1:
            self.builder.shared.update(node for node, _ in tensor.value.terms)


class Node:
    """An ONNX node with its checked attributes and its name in messages."""

    def __init__(self, proto: onnx.NodeProto, walk: Walk, declared: Mapping[str, Attribute]) -> None:
        self.proto, self.walk = proto, walk
        self.attributes = checked(proto, declared, self.label)

    @property
    def kind(self) -> str:
        """The operator's name."""
        return str(self.proto.op_type)

    @property
    def name(self) -> str:
        """Its output tensor."""
        return str(self.proto.output[0])

    @property
    def label(self) -> str:
        """The node in messages."""
        return label(self.proto, self.walk.context)

    def has(self, index: int) -> bool:
        """Whether an input is given; one that is left out in the middle has an empty name."""
        return index < len(self.proto.input) and bool(self.proto.input[index])

    def tensor(self, index: int) -> Tensor:
        """An input that depends on the network's input, in any order; raises InputError for a constant."""
        tensor = self.padded(index)
        if tensor.pads:
            raise InputError(f"{self.label}: reads the output of a Pad; only Conv and AveragePool can")
        return tensor

    def padded(self, index: int) -> Tensor:
        """The same, which may have zeros around it."""
        name = self.proto.input[index]
        if name not in self.walk.tensors:
            raise InputError(f"{self.label}: its input {name!r} is a constant, but must be the network's signal")
        return self.walk.tensors[name]

    def value(self, index: int) -> Value:
        """An input (N, *shape) whose elements are in the value's own order; raises InputError for another."""
        tensor = self.tensor(index)
        shape = tensor.shape[1:]
        if tensor.shape[:1] == (1,) and tensor.plain and (shape == tensor.value.shape or len(shape) == 1):
            return tensor.value if shape == tensor.value.shape else self.walk.builder.flat(tensor.value, self.name)
        raise InputError(f"{self.label}: reads {self.shown(tensor)} whose axes were moved; export it without Transpose")

    def image(self) -> Value:
        """Input 0 as an image (channels, height, width); raises InputError for another shape."""
        tensor = self.tensor(0)
        if len(tensor.shape) != 4:
            raise InputError(f"{self.label}: reads {self.shown(tensor)}, but must read (N, channels, height, width)")
        return self.as_image(tensor.value, tensor.order)

    def as_image(self, value: Value, order: Order) -> Value:
        """A value of which order (1, channels, height, width) is an image.

        Raises InputError if its elements are not in that order, InputLayout if those of the input could be.
        """
        in_order = order.shape == (1, *value.shape) and np.array_equal(order.reshape(-1), counting(value.size))
        if in_order:
            return value
        if order.shape[0] == 1 and order.size == self.walk.input_size:
            raise InputLayout(order)
        raise InputError(
            f"{self.label}: reads {order.shape[1:]}, made from {value.shape} by Reshape or Transpose; an image must "
            "come from a layer on images, or be the input"
        )

    def shown(self, tensor: Tensor) -> str:
        """A tensor's shape in messages."""
        return shown(tensor, batched=self.walk.batched)

    def constant(self, index: int, default: Any = None) -> Floats:
        """A constant input; raises InputError if it depends on the network's input."""
        if not self.has(index):
            if default is None:
                raise InputError(f"{self.label}: lacks its input {index}; export the network again")
            return np.asarray(default, np.float64)
        name = self.proto.input[index]
        if name not in self.walk.constants:
            raise InputError(
                f"{self.label}: its input {name!r} is computed, but must be a constant; freeze the network"
            )
        stored = self.walk.constants[name]
        if stored.dtype.kind == "O":
            raise InputError(f"{self.label}: its input {name!r} depends on N; only a Reshape can be told N")
        if stored.dtype.kind not in "fiub":
            raise InputError(f"{self.label}: its constant {name!r} holds {stored.dtype}, not numbers; export it again")
        values = np.asarray(stored, np.float64)
        if not np.isfinite(values).all() and self.kind != "Clip":
            raise InputError(f"{self.label}: its constant {name!r} holds NaN or infinity; train or export it again")
        return values

    def lengths(self, index: int) -> tuple[int | Batch, ...]:
        """A constant input that holds a shape, of which a number may be N."""
        stored = self.walk.constants.get(self.proto.input[index])
        if stored is not None and stored.dtype.kind == "O":
            return tuple(n if isinstance(n, Batch) else int(n) for n in stored.reshape(-1))
        return self.integers(index)

    def integers(self, index: int) -> tuple[int, ...]:
        """A constant input that holds a list of whole numbers."""
        return tuple(int(n) for n in self.constant(index).reshape(-1))

    def is_constant(self, index: int) -> bool:
        """Whether an input is a constant."""
        return self.proto.input[index] in self.walk.constants

    def pair(self, name: str) -> tuple[int, int]:
        """An attribute of two numbers, for height and width."""
        values = self.attributes[name]
        if len(values) != 2 or min(values) < 1:
            raise InputError(f"{self.label}: has {name} {values}; give two whole numbers from 1, for height and width")
        return int(values[0]), int(values[1])

    def axes(self, rank: int) -> tuple[int, ...]:
        """The attribute `axes`, or input 1, counted from the front and sorted; () if it is left out."""
        given = self.attributes.get("axes")
        if given is None:
            given = self.integers(1) if self.has(1) else ()
        if any(not -rank <= axis < rank for axis in given):
            raise InputError(f"{self.label}: has axes {tuple(given)}, but its input has {rank}; export it again")
        return tuple(sorted(axis % rank for axis in given))


Convert = Callable[[Node], Value | Tensor]


@dataclass(frozen=True)
class Operator:
    """How an operator is converted, its allowed number of inputs, and its attributes.

    idle: the number of further outputs that a node may name as long as nothing reads them.
    """

    convert: Convert
    fewest: int
    most: int
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    idle: int = 0

    def check(self, proto: onnx.NodeProto, walk: Walk) -> None:
        """Raises InputError for inputs and outputs that would be ignored."""
        name_in_messages, inputs = label(proto, walk.context), list(proto.input)
        if not self.fewest <= len(inputs) <= self.most:
            raise InputError(
                f"{name_in_messages}: has {len(inputs)} inputs, known are {self.fewest} to {self.most}; export it again"
            )
        missing = next((i for i, name in enumerate(inputs[: self.fewest]) if not name), None)
        if missing is not None:
            raise InputError(f"{name_in_messages}: lacks its input {missing}; export the network again")
        for number, name in enumerate(proto.output):
            if name and number and (number > self.idle or walk.readers.get(name, 0)):
                raise InputError(
                    f"{name_in_messages}: has an output {number}, {name!r}, which is not converted; export the network "
                    "in eval mode, with only the first output"
                )


def label(proto: onnx.NodeProto, context: str) -> str:
    """A node in messages."""
    return f"{context}: {proto.op_type} node {(proto.name or ''.join(proto.output[:1]))!r}"
