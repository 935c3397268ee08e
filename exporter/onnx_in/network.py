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

from hardware_profiles.errors import InputError, naming, reason

from .onnx_file import read_onnx
from .operators import CONVERT, WAYS_OUT, Node, Relu, Thresholds, Walk
from .values import Shape, Value

DT = 1e-3
# neurons of a layer: more are a damaged file
LARGEST_LAYER = 1 << 24


@dataclass(frozen=True)
class ReluNetwork:
    """A checked ONNX model: input (N, *shape), one output; relus in order."""

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
    name, shape = _input(model, where)
    return ReluNetwork(model, where, name, shape, str(model.graph.output[0].name), tuple(walk.relus), tuple(walk.notes))


def _walk(model: onnx.ModelProto, where: str, thresholds: Thresholds, unit: float) -> Walk:
    graph = model.graph
    name, shape = _input(model, where)
    readers = Counter(source for node in graph.node for source in node.input)
    walk = Walk(where, thresholds, readers)
    walk.constants |= {tensor.name: _array(tensor, where) for tensor in graph.initializer}
    walk.values[name] = walk.builder.input(name, shape, unit)
    for proto in graph.node:
        node = Node(proto, walk)
        if proto.op_type == "Constant":
            walk.constants[node.name] = _constant(node)
        elif all(source in walk.constants or not source for source in proto.input):
            raise InputError(f"{node.label}: computes a constant; export the network with constants folded")
        else:
            walk.values[node.name] = _converted(node)
    output = str(graph.output[0].name)
    if output not in walk.values:
        raise InputError(f"{where}: its output {output!r} does not depend on its input")
    walk.builder.readout(walk.values[output], "readout")
    return walk


def _converted(node: Node) -> Value:
    kind = node.proto.op_type
    convert = CONVERT.get(kind) if node.proto.domain in ("", "ai.onnx") else None
    if convert is None:
        way_out = WAYS_OUT.get(kind, f"known are {', '.join(CONVERT)}")
        raise InputError(f"{node.label}: is not converted; {way_out}")
    try:
        found = convert(node)
    except InputError:
        raise
    except Exception as error:  # numbers of a hostile file can fail anywhere in NumPy or nir
        raise InputError(f"{node.label}: its numbers do not fit ({reason(error)}); export it again") from error
    if not 0 < found.size <= LARGEST_LAYER:
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
    tensor = node.attribute("value", None)
    if tensor is not None:
        return _array(tensor, node.walk.where)
    for name in ("value_float", "value_floats", "value_int", "value_ints"):
        if node.attribute(name, None) is not None:
            return np.asarray(node.attribute(name, None))
    raise InputError(f"{node.label}: is no tensor of numbers; export the network again")


def _input(model: onnx.ModelProto, where: str) -> tuple[str, Shape]:
    """The one input's name and shape without the batch."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1 or len(model.graph.output) != 1:
        raise InputError(
            f"{where}: has {len(inputs)} inputs and {len(model.graph.output)} outputs; one of each can be converted"
        )
    dimensions = list(inputs[0].type.tensor_type.shape.dim)[1:]
    shape = tuple(int(d.dim_value) for d in dimensions)
    if len(shape) not in (1, 3) or min(shape, default=0) < 1 or math.prod(shape) > LARGEST_LAYER:
        named = ", ".join(d.dim_param or str(d.dim_value) for d in dimensions)
        raise InputError(
            f"{where}: its input has shape (N, {named}); (N, features) or (N, channels, height, width) is wanted"
        )
    return str(inputs[0].name), shape
