"""An ONNX model as it is read: of float32, of ONNX's own operators, with one output and what leads to it."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from spikeport.common.errors import InputError

from .float32 import as_float32
from .functions import without_functions
from .sklearn import without_ml_operators
from .two_classes import with_two_classes


def rewritten(
    model: onnx.ModelProto, context: str, output: str | None = None
) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """The model of that output, and notes on what was chosen; raises InputError."""
    if model.graph.sparse_initializer:
        raise InputError(f"{context}: holds sparse weights; export it with dense ones")
    model = without_functions(model, context)
    name, notes = _chosen([str(value.name) for value in model.graph.output], context, output)
    model = with_outputs(model, [name])
    model, changed = as_float32(model)
    model = with_two_classes(without_ml_operators(model, context))
    return with_outputs(model, [name]), (*notes, *changed)


def with_outputs(
    model: onnx.ModelProto, names: Sequence[str], nodes: Sequence[onnx.NodeProto] = (),
    weights: Sequence[onnx.TensorProto] = (),
) -> onnx.ModelProto:  # fmt: skip
    """The model with these outputs and only the nodes that lead to them, after `nodes` and `weights` are added."""
    needed, kept = set(names), list[onnx.NodeProto]()
    for node in reversed([*model.graph.node, *nodes]):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input) | {name for inner in _inner(node) for name in inner}
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    for field in ("node", "output", "initializer", "value_info"):
        graph.ClearField(field)
    graph.node.extend(reversed(kept))
    known = {value.name: value for value in (*model.graph.output, *model.graph.value_info)}
    graph.output.extend(known.get(name, onnx.ValueInfoProto(name=name)) for name in names)
    graph.initializer.extend(tensor for tensor in (*model.graph.initializer, *weights) if tensor.name in needed)
    entered = {tensor.name for tensor in model.graph.initializer} - {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in entered]
    graph.ClearField("input")
    graph.input.extend(inputs)
    return result


def _inner(node: onnx.NodeProto) -> list[list[str]]:
    """Names that the graphs of a node's attributes read; they are refused later, but must not be cut."""
    graphs = [graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs)]
    return [[name for inner in graph.node for name in inner.input] for graph in graphs]


def _chosen(outputs: Sequence[str], context: str, output: str | None) -> tuple[str, tuple[str, ...]]:
    if not outputs:
        raise InputError(f"{context}: has no output; export the network again")
    if output is not None and output not in outputs:
        raise InputError(f"{context}: has no output {output!r}; its outputs are {', '.join(map(repr, outputs))}")
    name = outputs[0] if output is None else output
    if output is None and len(outputs) > 1:
        others = ", ".join(map(repr, outputs[1:]))
        return name, (f"of its outputs the first is converted, {name!r}; left out: {others} (choose with --output)",)
    return name, ()
