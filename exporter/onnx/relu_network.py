"""An ONNX graph -> a ReLU network: its NIR graph with integrate-and-fire neurons instead of ReLUs."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import nir
import numpy as np
import onnx
from onnx import numpy_helper

from spikeport.common.errors import InputError, naming, reason
from spikeport.exporter.onnx.operators.node import Node, Relu, Thresholds, Walk, label
from spikeport.exporter.onnx.operators.operators import ALIASES, CONSTANT, OPERATORS, OPSETS, REMEDIES
from spikeport.exporter.onnx.operators.values import Shape, Value

from .max_pool import Replacement, without_max_pool
from .onnx_file import read_onnx
from .quantised.float_model import float_model
from .quantised.forms import FORMS

DT = 1e-3
# most neurons of a layer: a file with more is damaged
LARGEST_LAYER = 1 << 24


@dataclass(frozen=True)
class ReluNetwork:
    """A checked ONNX model: input (N, *shape), one output (a final softmax is left out), ReLUs in order.

    model: without integers and MaxPool; original: as in the file; saturated: outputs of ReLUs whose
    ceiling is only the largest integer of a quantised signal.
    """

    model: onnx.ModelProto
    original: onnx.ModelProto
    context: str
    input: str
    shape: Shape
    output: str
    relus: tuple[Relu, ...]
    notes: tuple[str, ...]
    saturated: frozenset[str] = frozenset()

    def to_nir(self, thresholds: Thresholds, unit: float = 1.0, dt: float = DT) -> nir.NIRGraph:
        """The graph in which a spike of a ReLU represents its threshold, and an input of 1 represents `unit`.

        The answer is the voltage of the neurons "readout", which accumulate their input. Raises InputError.
        """
        return _walk(self.model, self.context, thresholds, unit).builder.graph(dt)


def open_network(path: str | Path, replace_maxpool: Replacement | None = None) -> ReluNetwork:
    """Read and check an ONNX file; raises InputError that names the faulty node and the remedy."""
    original = read_onnx(path)
    context = str(path)
    with naming(context, "export it again"):
        floats = float_model(original, _opset(original, context), context, FORMS)
        model, replaced = without_max_pool(floats.model, context, replace_maxpool)
        walk = _walk(model, context, {}, 1.0)
    if not walk.relus:
        raise InputError(f"{context}: holds no Relu; a linear network needs no spikes")
    name, shape, _ = _input(model, context)
    relus, notes = tuple(walk.relus), (*walk.notes, *floats.notes, *replaced)
    return ReluNetwork(model, original, context, name, shape, walk.answer, relus, notes, floats.saturated)


def _walk(model: onnx.ModelProto, context: str, thresholds: Thresholds, unit: float) -> Walk:
    graph = model.graph
    name, shape, batch = _input(model, context)
    output = str(graph.output[0].name)
    readers = Counter(str(source) for node in graph.node for source in node.input)
    readers[output] += 1
    walk = Walk(context, thresholds, readers, _ends(graph, readers), output, _opset(model, context), batch)
    walk.constants |= {tensor.name: _array(tensor, context) for tensor in graph.initializer}
    walk.put(name, walk.builder.input(name, shape, unit))
    for proto in graph.node:
        _check_owner(proto, context)
        if proto.op_type == "Constant":
            walk.constants[str(proto.output[0])] = _constant(Node(proto, walk, CONSTANT))
        elif proto.op_type == "Identity" and list(proto.input)[:1] and proto.input[0] in walk.constants:
            # exporters give equal weights several names
            OPERATORS["Identity"].check(proto, walk)
            walk.constants[str(proto.output[0])] = walk.constants[proto.input[0]]
        elif all(source in walk.constants or not source for source in proto.input):
            raise InputError(f"{label(proto, context)}: computes a constant; export the network with constants folded")
        else:
            walk.put(str(proto.output[0]), _converted(proto, walk))
    if output not in walk.values:
        raise InputError(f"{context}: its output {output!r} does not depend on its input")
    walk.builder.readout(walk.values[output])
    return walk


def _ends(graph: onnx.GraphProto, readers: Counter[str]) -> frozenset[str]:
    """The graph's output, and the tensors that it renames, as long as nothing else reads them."""
    sources = {str(node.output[0]): str(node.input[0]) for node in graph.node if node.op_type in ALIASES}
    ends, name = list[str](), str(graph.output[0].name)
    while readers[name] == 1 and name not in ends:
        ends.append(name)
        name = sources.get(name, "")
    return frozenset(ends)


def _opset(model: onnx.ModelProto, context: str) -> int:
    """The version of ONNX's own operators, which defines their meaning."""
    versions = [int(given.version) for given in model.opset_import if given.domain in ("", "ai.onnx")]
    if len(versions) != 1 or versions[0] not in OPSETS:
        named = ", ".join(map(str, versions)) or "none"
        raise InputError(f"{context}: has opset {named}; export it with one from {OPSETS[0]} to {OPSETS[-1]}")
    return versions[0]


def _check_owner(proto: onnx.NodeProto, context: str) -> None:
    """Raises InputError for an operator that is not ONNX's own, and for a node without an output."""
    overload = getattr(proto, "overload", "")
    if proto.domain not in ("", "ai.onnx") or overload:
        foreign = f"the domain {proto.domain!r}" if proto.domain else f"the overload {overload!r}"
        raise InputError(f"{label(proto, context)}: is of {foreign}; export the network with ONNX's own operators")
    if not proto.output or not proto.output[0]:
        raise InputError(f"{label(proto, context)}: lacks its first output; export the network again")


def _converted(proto: onnx.NodeProto, walk: Walk) -> Value:
    operator = OPERATORS.get(proto.op_type)
    if operator is None:
        remedy = REMEDIES.get(proto.op_type, f"known are {', '.join(OPERATORS)}")
        raise InputError(f"{label(proto, walk.context)}: is not converted; {remedy}")
    operator.check(proto, walk)
    node = Node(proto, walk, operator.attributes)
    try:
        value = operator.convert(node)
    except InputError:
        raise
    except Exception as error:  # numbers of a malicious file can fail anywhere in NumPy or nir
        raise InputError(f"{node.label}: its numbers do not fit ({reason(error)}); export it again") from error
    if min(value.shape, default=0) < 1 or value.size > LARGEST_LAYER:
        raise InputError(f"{node.label}: outputs {value.shape}, which fits no chip; use a smaller network")
    return value


def _array(tensor: onnx.TensorProto, context: str) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except Exception as error:  # onnx raises ValueError, TypeError and more
        raise InputError(
            f"{context}: the weights {tensor.name!r} are damaged ({reason(error)}); export it again"
        ) from error


def _constant(node: Node) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    given = [(name, value) for name, value in node.attributes.items() if value is not None]
    if len(given) != 1:
        raise InputError(f"{node.label}: is not exactly one tensor of numbers; export the network again")
    name, value = given[0]
    return _array(value, node.walk.context) if name == "value" else np.asarray(value)


def _input(model: onnx.ModelProto, context: str) -> tuple[str, Shape, int | None]:
    """The single input's name, its shape without the batch, and the batch size, None if free."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1 or len(model.graph.output) != 1:
        raise InputError(
            f"{context}: has {len(inputs)} inputs and {len(model.graph.output)} outputs; only one of "
            "each can be converted"
        )
    if model.graph.sparse_initializer:
        raise InputError(f"{context}: holds sparse weights; export it with dense ones")
    if any(function.domain in ("", "ai.onnx") for function in model.functions):
        raise InputError(f"{context}: redefines operators of ONNX; export it with only ONNX's own operators")
    tensor = inputs[0].type.tensor_type
    if tensor.elem_type != onnx.TensorProto.FLOAT:
        raise InputError(
            f"{context}: its input {inputs[0].name!r} is not of type float32; export it with float32 input"
        )
    every = list(tensor.shape.dim)
    shape = tuple(int(d.dim_value) for d in every[1:])
    if len(shape) not in (1, 3) or min(shape, default=0) < 1 or math.prod(shape) > LARGEST_LAYER:
        named = ", ".join(d.dim_param or str(d.dim_value) for d in every[1:])
        raise InputError(
            f"{context}: its input has shape (N, {named}), but must be (N, features) or (N, channels, height, width)"
        )
    return str(inputs[0].name), shape, int(every[0].dim_value) if every[0].dim_value > 0 else None
