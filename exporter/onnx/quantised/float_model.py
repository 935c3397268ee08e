"""A quantised ONNX model -> the float model of its integers, with the same names of tensors.

Weights become (integer - zero point) * scale, whose ratios are exactly those of the integers. Signals are not rounded,
as spikes have their own rounding: QuantizeLinear becomes a ReLU where its lowest integer represents 0, since quantisers
leave the ReLU out there, and nothing where its range goes below 0 or where its input cannot be negative.

Source: onnxruntime, quantization tools (static QDQ and QOperator, dynamic), and the schemas of its operators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import helper, numpy_helper

from spikeport.common.errors import InputError, reason
from spikeport.exporter.onnx.operators.node import label
from spikeport.exporter.onnx.signs import stays_positive

from .number_format import Array, NumberFormat

QUANTISED = frozenset(
    {
        "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger",
        "MatMulInteger", "QGemm", "QLinearAdd", "QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearConcat",
    }
)  # fmt: skip
# operators whose output has its input's integers
_PASS = frozenset({"Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "MaxPool", "Dropout"})
# the first opset whose Clip has its bounds as inputs
_BOUNDS_AS_INPUTS = 11


@dataclass(frozen=True)
class FloatModel:
    """The float model; saturated: outputs of ReLUs whose ceiling is the largest integer; notes: what was left out."""

    model: onnx.ModelProto
    saturated: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scaled:
    """What a tensor of a dynamically quantised model is divided by: the scale of `source`, times a constant."""

    source: str
    factor: Array


@dataclass
class Rewriting:
    """The float graph while it is written.

    formats: of quantised signals; entered: the network's input under other names; positive: signals that cannot be
    negative; scales: tensors that are scales of dynamic quantisation; sums: integer sums, which still lack a scale.
    """

    context: str
    opset: int
    constants: dict[str, Array]
    entered: set[str]
    names: set[str]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)
    formats: dict[str, NumberFormat] = field(default_factory=dict)
    positive: set[str] = field(default_factory=set)
    scales: dict[str, Scaled] = field(default_factory=dict)
    zero_points: dict[str, str] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)
    saturated: set[str] = field(default_factory=set)
    rounded: int = 0

    def add(self, kind: str, inputs: Sequence[str], output: str, like: onnx.NodeProto | None = None) -> None:
        """A node with the name and the attributes of another, or with neither."""
        node = helper.make_node(kind, list(inputs), [output])
        if like is not None:
            node.name = like.name
            node.attribute.extend(like.attribute)
        self.nodes.append(node)

    def constant(self, name: str, values: Array) -> str:
        """A new initialiser; its name, which is that of no other tensor."""
        name = self.unused(name)
        self.store(name, values)
        return name

    def store(self, name: str, values: Array) -> None:
        """An initialiser in the place of a node's output."""
        self.constants[name] = values
        self.weights.append(numpy_helper.from_array(values, name))

    def is_integer(self, name: str) -> bool:
        """Whether a tensor's numbers differ from those of the tensor of that name in the float graph."""
        dynamic = name in self.scales or name in self.zero_points or name in self.zero_points.values()
        return name in self.formats or name in self.sums or dynamic

    def unused(self, name: str) -> str:
        """A name that no tensor has, like this one."""
        while name in self.names:
            name += "_"
        self.names.add(name)
        return name

    def saturate(self, source: str, output: str, form: NumberFormat) -> None:
        """The signal as integers of this format: a ReLU where the lowest represents 0, else nothing."""
        self.rounded += 1
        self.formats[output] = form
        if form.lower == 0 and source not in self.positive and source not in self.entered:
            self._clip(source, output, form.upper)
            self.saturated.add(output)
        else:
            self.add("Identity", [source], output)
        if form.lower == 0:
            self.positive.add(output)
        if source in self.entered:
            self.entered.add(output)

    def _clip(self, source: str, output: str, ceiling: float) -> None:
        if self.opset < _BOUNDS_AS_INPUTS:
            self.nodes.append(helper.make_node("Clip", [source], [output], min=0.0, max=ceiling))
            return
        bounds = [self.constant(f"{output}_bound", np.asarray(bound, np.float32)) for bound in (0.0, ceiling)]
        self.add("Clip", [source, *bounds], output)


Rewrite = Callable[[onnx.NodeProto, Rewriting], bool]
"""Writes a node in floating point; False if the node has nothing to do with integers."""


def float_model(model: onnx.ModelProto, opset: int, context: str, forms: Mapping[str, Rewrite]) -> FloatModel:
    """The float model of a quantised one; any other as it is. Raises InputError that names the node.

    forms: how each operator that may handle integers is written.
    """
    graph = model.graph
    if not any(node.op_type in QUANTISED for node in graph.node):
        return FloatModel(model)
    constants: dict[str, Array] = {}
    for tensor in graph.initializer:
        constants[tensor.name] = _array(tensor, context)
    entered = {value.name for value in graph.input if value.name not in constants}
    names = {name for node in graph.node for name in (*node.input, *node.output)} | set(constants) | entered
    writing = Rewriting(context, opset, constants, entered, names)
    for node in graph.node:
        _rewrite(node, writing, forms)
    rewritten = onnx.ModelProto()
    rewritten.CopyFrom(model)
    del rewritten.graph.node[:]
    rewritten.graph.node.extend(writing.nodes)
    read = {name for node in writing.nodes for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del rewritten.graph.initializer[:]
    rewritten.graph.initializer.extend([*kept, *writing.weights])
    del rewritten.graph.value_info[:]
    inputs = [value for value in graph.input if value.name not in {t.name for t in graph.initializer}]
    del rewritten.graph.input[:]
    rewritten.graph.input.extend(inputs)
    note = (
        f"{context} is quantised: its integers are the weights; {writing.rounded} signals are not rounded to integers "
        "between the layers"
    )
    return FloatModel(rewritten, frozenset(writing.saturated), (note,))


def _rewrite(node: onnx.NodeProto, writing: Rewriting, forms: Mapping[str, Rewrite]) -> None:
    name = label(node, writing.context)
    own = node.domain in ("", "ai.onnx") or (node.domain == "com.microsoft" and node.op_type in QUANTISED)
    if own and node.op_type in forms and node.output:
        try:
            if forms[node.op_type](node, writing):
                return
        except InputError:
            raise
        except Exception as error:  # numbers of a malicious file can fail anywhere in NumPy or onnx
            raise InputError(f"{name}: its numbers do not fit ({reason(error)}); quantise it again") from error
    if node.op_type == "Constant" and node.output and len(node.attribute) == 1 and node.attribute[0].name == "value":
        writing.constants[node.output[0]] = _array(node.attribute[0].t, writing.context)
    integers = [i for i in node.input if writing.is_integer(i)]
    passes = node.op_type in _PASS and list(node.input[:1]) == integers[:1] and len(integers) == 1
    if integers and not (passes and integers[0] in writing.formats):
        raise InputError(f"{name}: reads integers, {integers[0]!r}; quantise the network with onnxruntime's own tools")
    for output in node.output[:1] if passes else ():
        writing.formats[output] = writing.formats[node.input[0]]
    _follow(node, writing)
    writing.nodes.append(node)


def _follow(node: onnx.NodeProto, writing: Rewriting) -> None:
    """Note an output that cannot be negative, or that is the network's input in another shape."""
    if stays_positive(node, writing.positive):
        writing.positive.update(node.output[:1])
    if node.op_type in _PASS and node.input[0] in writing.entered:
        writing.entered.update(node.output[:1])


def _array(tensor: onnx.TensorProto, context: str) -> Array:
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except Exception as error:  # onnx raises ValueError, TypeError and more
        raise InputError(
            f"{context}: the weights {tensor.name!r} are damaged ({reason(error)}); export it again"
        ) from error
