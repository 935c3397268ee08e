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

    readers: number of nodes that read each tensor, plus one for the graph's output; ends: tensors that are the graph's
    output under another name; answer: the tensor that is converted as the output; batch: None if free.
    """

    context: str
    thresholds: Thresholds
    readers: Mapping[str, int]
    ends: frozenset[str]
    answer: str
    opset: int
    batch: int | None
    builder: NirBuilder = field(default_factory=NirBuilder)
    values: dict[str, Value] = field(default_factory=dict)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)
    relus: list[Relu] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def put(self, name: str, value: Value) -> None:
        """Store a tensor's value; if several nodes read the tensor, its NIR nodes may not be changed in place."""
        self.values[name] = value
        if self.readers.get(name, 0) > 1:
            self.builder.shared.update(node for node, _ in value.terms)


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

    def value(self, index: int) -> Value:
        """An input that depends on the network's input; raises InputError for a constant."""
        name = self.proto.input[index]
        if name not in self.walk.values:
            raise InputError(f"{self.label}: its input {name!r} is a constant, but must be the network's signal")
        return self.walk.values[name]

    def image(self) -> Value:
        """Input 0 as an image (channels, height, width); raises InputError for another shape."""
        value = self.value(0)
        if len(value.shape) != 3:
            raise InputError(f"{self.label}: reads {value.shape}, but must read (channels, height, width)")
        return value

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
        if stored.dtype.kind not in "fiub":
            raise InputError(f"{self.label}: its constant {name!r} holds {stored.dtype}, not numbers; export it again")
        values = np.asarray(stored, np.float64)
        if not np.isfinite(values).all() and self.kind != "Clip":
            raise InputError(f"{self.label}: its constant {name!r} holds NaN or infinity; train or export it again")
        return values

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


Convert = Callable[[Node], Value]


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
