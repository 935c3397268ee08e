"""An ONNX graph -> a ReLU network: its NIR graph with integrate-and-fire neurons in the place of ReLUs."""

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
from spikeport.exporter.onnx.operators.operators import ALIASES, CONSTANT, OPERATORS, OPSETS, WAYS_OUT
from spikeport.exporter.onnx.operators.values import Shape, Value

from .onnx_file import read_onnx

DT = 1e-3
# neurons of a layer: more are a damaged file
LARGEST_LAYER = 1 << 24


@dataclass(frozen=True)
class ReluNetwork:
    """A checked ONNX model: input (N, *shape), one output, before a softmax that is left out; relus in order."""

    model: onnx.ModelProto
    where: str
    input: str
    shape: Shape
    output: str
    relus: tuple[Relu, ...]
    notes: tuple[str, ...]

    def to_nir(self, thresholds: Thresholds, unit: float = 1.0, dt: float = DT) -> nir.NIRGraph:
        """The graph in which a spike of a ReLU stands for its threshold, and a 1 that enters for `unit`.

        The answer is the voltage of the neurons "readout", which add up what arrives. Raises InputError.
        """
        return _walk(self.model, self.where, thresholds, unit).builder.graph(dt)


def open_network(path: str | Path) -> ReluNetwork:
    """Read and check an ONNX file; raises InputError that names the node at fault and the way out."""
    model = read_onnx(path)
    where = str(path)
    with naming(where, "export it again"):
        walk = _walk(model, where, {}, 1.0)
    if not walk.relus:
        raise InputError(f"{where}: holds no Relu; a linear network needs no spikes")
    name, shape, _ = _input(model, where)
    return ReluNetwork(model, where, name, shape, walk.answer, tuple(walk.relus), tuple(walk.notes))


def _walk(model: onnx.ModelProto, where: str, thresholds: Thresholds, unit: float) -> Walk:
    graph = model.graph
    name, shape, batch = _input(model, where)
    output = str(graph.output[0].name)
    readers = Counter(str(source) for node in graph.node for source in node.input)
    readers[output] += 1
    walk = Walk(where, thresholds, readers, _ends(graph, readers), output, _opset(model, where), batch)
    walk.constants |= {tensor.name: _array(tensor, where) for tensor in graph.initializer}
    walk.put(name, walk.builder.input(name, shape, unit))
    for proto in graph.node:
        _check_owner(proto, where)
        if proto.op_type == "Constant":
            walk.constants[str(proto.output[0])] = _constant(Node(proto, walk, CONSTANT))
        elif proto.op_type == "Identity" and list(proto.input)[:1] and proto.input[0] in walk.constants:
            # exporters name weights of the same numbers anew
            OPERATORS["Identity"].check(proto, walk)
            walk.constants[str(proto.output[0])] = walk.constants[proto.input[0]]
        elif all(source in walk.constants or not source for source in proto.input):
            raise InputError(f"{label(proto, where)}: computes a constant; export the network with constants folded")
        else:
            walk.put(str(proto.output[0]), _converted(proto, walk))
    if output not in walk.values:
        raise InputError(f"{where}: its output {output!r} does not depend on its input")
    walk.builder.readout(walk.values[output])
    return walk


def _ends(graph: onnx.GraphProto, readers: Counter[str]) -> frozenset[str]:
    """The graph's output, and the tensors that it is another name of, as long as nothing else reads them."""
    sources = {str(node.output[0]): str(node.input[0]) for node in graph.node if node.op_type in ALIASES}
    found, name = list[str](), str(graph.output[0].name)
    while readers[name] == 1 and name not in found:
        found.append(name)
        name = sources.get(name, "")
    return frozenset(found)


def _opset(model: onnx.ModelProto, where: str) -> int:
    """The version of ONNX's own operators, which defines what they mean."""
    versions = [int(given.version) for given in model.opset_import if given.domain in ("", "ai.onnx")]
    if len(versions) != 1 or versions[0] not in OPSETS:
        named = ", ".join(map(str, versions)) or "none"
        raise InputError(f"{where}: has opset {named}; export it with one from {OPSETS[0]} to {OPSETS[-1]}")
    return versions[0]


def _check_owner(proto: onnx.NodeProto, where: str) -> None:
    """Raises InputError for an operator that is not ONNX's own, and for a node without an output."""
    overload = getattr(proto, "overload", "")
    if proto.domain not in ("", "ai.onnx") or overload:
        foreign = f"the domain {proto.domain!r}" if proto.domain else f"the overload {overload!r}"
        raise InputError(f"{label(proto, where)}: is of {foreign}; export the network with ONNX's own operators")
    if not proto.output or not proto.output[0]:
        raise InputError(f"{label(proto, where)}: lacks its first output; export the network again")


def _converted(proto: onnx.NodeProto, walk: Walk) -> Value:
    operator = OPERATORS.get(proto.op_type)
    if operator is None:
        remedy = WAYS_OUT.get(proto.op_type, f"known are {', '.join(OPERATORS)}")
        raise InputError(f"{label(proto, walk.where)}: is not converted; {remedy}")
    operator.check(proto, walk)
    node = Node(proto, walk, operator.attributes)
    try:
        found = operator.convert(node)
    except InputError:
        raise
    except Exception as error:  # numbers of a hostile file can fail anywhere in NumPy or nir
        raise InputError(f"{node.label}: its numbers do not fit ({reason(error)}); export it again") from error
    if min(found.shape, default=0) < 1 or found.size > LARGEST_LAYER:
        raise InputError(f"{node.label}: puts out {found.shape}, which no chip holds; use a smaller network")
    return found


def _array(tensor: onnx.TensorProto, where: str) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except Exception as error:  # onnx raises ValueError, TypeError and more
        raise InputError(
            f"{where}: the weights {tensor.name!r} are damaged ({reason(error)}); export it again"
        ) from error


def _constant(node: Node) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    given = [(name, value) for name, value in node.attributes.items() if value is not None]
    if len(given) != 1:
        raise InputError(f"{node.label}: is no tensor of numbers, or several; export the network again")
    name, value = given[0]
    return _array(value, node.walk.where) if name == "value" else np.asarray(value)


def _input(model: onnx.ModelProto, where: str) -> tuple[str, Shape, int | None]:
    """The one input's name, its shape without the batch, and the batch, None where it is free."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1 or len(model.graph.output) != 1:
        raise InputError(
            f"{where}: has {len(inputs)} inputs and {len(model.graph.output)} outputs; one of each can be converted"
        )
    if model.graph.sparse_initializer:
        raise InputError(f"{where}: holds sparse weights; export it with dense ones")
    if any(function.domain in ("", "ai.onnx") for function in model.functions):
        raise InputError(f"{where}: defines operators of ONNX anew; export it with ONNX's own operators alone")
    tensor = inputs[0].type.tensor_type
    if tensor.elem_type != onnx.TensorProto.FLOAT:
        raise InputError(f"{where}: its input {inputs[0].name!r} is not of type float32; export it with float32 input")
    every = list(tensor.shape.dim)
    shape = tuple(int(d.dim_value) for d in every[1:])
    if len(shape) not in (1, 3) or min(shape, default=0) < 1 or math.prod(shape) > LARGEST_LAYER:
        named = ", ".join(d.dim_param or str(d.dim_value) for d in every[1:])
        raise InputError(
            f"{where}: its input has shape (N, {named}); (N, features) or (N, channels, height, width) is wanted"
        )
    return str(inputs[0].name), shape, int(every[0].dim_value) if every[0].dim_value > 0 else None
