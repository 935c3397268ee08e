"""One ONNX node as a converter sees it, and the state of reading a graph."""

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
    """The state of reading a graph: what each tensor is, in NIR nodes or as a constant.

    readers: how many nodes read each tensor, an output of the graph counted as one more; ends: the tensors that are the
    graph's output under another name; answer: the tensor that is converted as the output; batch: None where free.
    """

    where: str
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
        """What a tensor is; its nodes may not be changed in place if several read the tensor, under whatever name."""
        self.values[name] = value
        if self.readers.get(name, 0) > 1:
            self.builder.shared.update(node for node, _ in value.terms)


class Node:
    """One ONNX node with its attributes, checked, and how messages call it."""

    def __init__(self, proto: onnx.NodeProto, walk: Walk, declared: Mapping[str, Attribute]) -> None:
        self.proto, self.walk = proto, walk
        self.attributes = checked(proto, declared, self.label)

    @property
    def kind(self) -> str:
        """The operator's name."""
        return str(self.proto.op_type)

    @property
    def name(self) -> str:
        """The tensor it puts out."""
        return str(self.proto.output[0])

    @property
    def label(self) -> str:
        """The node in messages."""
        return label(self.proto, self.walk.where)

    def has(self, index: int) -> bool:
        """Whether an input is given; one that is left out in the middle has an empty name."""
        return index < len(self.proto.input) and bool(self.proto.input[index])

    def value(self, index: int) -> Value:
        """An input that depends on the network's input; raises InputError for a constant."""
        name = self.proto.input[index]
        if name not in self.walk.values:
            raise InputError(f"{self.label}: its input {name!r} is a constant, where the network's signal is wanted")
        return self.walk.values[name]

    def image(self) -> Value:
        """Input 0 as an image (channels, height, width); raises InputError for another shape."""
        value = self.value(0)
        if len(value.shape) != 3:
            raise InputError(f"{self.label}: reads {value.shape}, but (channels, height, width) is wanted")
        return value

    def constant(self, index: int, default: Any = None) -> Floats:
        """A constant input; raises InputError where it depends on the network's input."""
        if not self.has(index):
            if default is None:
                raise InputError(f"{self.label}: lacks its input {index}; export the network again")
            return np.asarray(default, np.float64)
        name = self.proto.input[index]
        if name not in self.walk.constants:
            raise InputError(
                f"{self.label}: its input {name!r} is computed, but must be a constant; freeze the network"
            )
        held = self.walk.constants[name]
        if held.dtype.kind not in "fiub":
            raise InputError(f"{self.label}: its constant {name!r} holds {held.dtype}, not numbers; export it again")
        values = np.asarray(held, np.float64)
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
        """The attribute or the input 1 of that name, counted from the front and sorted; () where it is left out."""
        given = self.attributes.get("axes")
        if given is None:
            given = self.integers(1) if self.has(1) else ()
        if any(not -rank <= axis < rank for axis in given):
            raise InputError(f"{self.label}: has axes {tuple(given)}, but its input has {rank}; export it again")
        return tuple(sorted(axis % rank for axis in given))


Convert = Callable[[Node], Value]


@dataclass(frozen=True)
class Operator:
    """How an operator is converted, and what it may have: inputs from fewest to most, and attributes.

    idle: the number of further outputs that a node may name as long as nothing reads them.
    """

    convert: Convert
    fewest: int
    most: int
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    idle: int = 0

    def check(self, proto: onnx.NodeProto, walk: Walk) -> None:
        """Raises InputError for inputs and outputs that would be passed over."""
        said, inputs = label(proto, walk.where), list(proto.input)
        if not self.fewest <= len(inputs) <= self.most:
            raise InputError(
                f"{said}: has {len(inputs)} inputs, known are {self.fewest} to {self.most}; export it again"
            )
        missing = next((i for i, name in enumerate(inputs[: self.fewest]) if not name), None)
        if missing is not None:
            raise InputError(f"{said}: lacks its input {missing}; export the network again")
        for number, name in enumerate(proto.output):
            if name and number and (number > self.idle or walk.readers.get(name, 0)):
                raise InputError(
                    f"{said}: puts out {name!r} as its output {number}, which is not converted; export the network in "
                    "eval mode, with the first output alone"
                )


def label(proto: onnx.NodeProto, where: str) -> str:
    """A node in messages."""
    return f"{where}: {proto.op_type} node {(proto.name or ''.join(proto.output[:1]))!r}"
