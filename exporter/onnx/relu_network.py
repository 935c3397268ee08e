"""An ONNX graph -> a ReLU network: its NIR graph with integrate-and-fire neurons instead of ReLUs."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import nir
import numpy as np
import onnx
from onnx import numpy_helper

from spikeport.common.errors import InputError, naming, reason
from spikeport.exporter.onnx.operators.ending import TAKEN_OFF, ends_of, is_behind_the_end, skip
from spikeport.exporter.onnx.operators.folding import fold, folds
from spikeport.exporter.onnx.operators.node import Node, Relu, Thresholds, Walk, label
from spikeport.exporter.onnx.operators.operators import CONSTANT, OPERATORS, OPSETS, REMEDIES
from spikeport.exporter.onnx.operators.tensor import InputLayout, Tensor, tensor_of
from spikeport.exporter.onnx.operators.values import Shape, Value

from .graph_input import GraphInput, graph_input
from .max_pool import Replacement, without_max_pool
from .onnx_file import read_onnx
from .quantised.float_model import float_model
from .quantised.forms import FORMS
from .rewrites.rewrite import rewritten, with_outputs

DT = 1e-3
# most neurons of a layer: a file with more is damaged
LARGEST_LAYER = 1 << 24


@dataclass(frozen=True)
class ReluNetwork:
    """A checked ONNX model: one input, one output (a final softmax is left out), ReLUs in order.

    entry: the input, of samples (N, *shape); model: computes the answer `output` and what leads to it only, without
    integers and MaxPool; original: the same with them; saturated: outputs of ReLUs whose ceiling is only the largest
    integer of a quantised signal.
    """

    model: onnx.ModelProto
    original: onnx.ModelProto
    context: str
    entry: GraphInput
    output: str
    relus: tuple[Relu, ...]
    notes: tuple[str, ...]
    saturated: frozenset[str] = frozenset()

    @property
    def input(self) -> str:
        """The input's name."""
        return self.entry.name

    @property
    def shape(self) -> Shape:
        """A sample's shape."""
        return self.entry.shape

    def to_nir(self, thresholds: Thresholds, unit: float = 1.0, dt: float = DT) -> nir.NIRGraph:
        """The graph in which a spike of a ReLU represents its threshold, and an input of 1 represents `unit`.

        Its input is that of `entry.network_shape`. The answer is the voltage of the neurons "readout", which accumulate
        their input. Raises InputError.
        """
        return _walk(self.model, self.context, self.entry, self.output, thresholds, unit).builder.graph(dt)


def open_network(
    path: str | Path, replace_maxpool: Replacement | None = None, output: str | None = None
) -> ReluNetwork:
    """Read and check an ONNX file; raises InputError that names the faulty node and the remedy.

    output: the one to convert of several; default: the first.
    """
    context = str(path)
    model = read_onnx(path)
    with naming(context, "export it again"):
        original, notes = rewritten(model, context, output)
        floats = float_model(original, _opset(original, context), context, FORMS)
        model, replaced = without_max_pool(floats.model, context, replace_maxpool)
        entry = graph_input(model, context)
        walk, entry = _read(model, context, entry, str(model.graph.output[0].name))
    if not walk.relus:
        notes = (*notes, "it holds no Relu: the answer is a weighted sum of the input, for which nothing spikes")
    if entry.moved:
        notes = (*notes, f"the program's input has the shape {entry.network_shape}: channels in front, as ONNX's Conv")
    model, original = (
        with_outputs(each, [walk.answer], walk.added_nodes, walk.added_weights) for each in (model, original)
    )
    notes = (*notes, *walk.notes, *floats.notes, *replaced)
    return ReluNetwork(model, original, context, entry, walk.answer, tuple(walk.relus), notes, floats.saturated)


def _read(model: onnx.ModelProto, context: str, entry: GraphInput, output: str) -> tuple[Walk, GraphInput]:
    """The graph read with a batch axis, or as one sample if that fails; and with the input's layout that it needs."""
    try:
        return _read_in_layout(model, context, entry, output)
    except InputError:
        if not entry.batched or entry.given[0] is None:
            raise
        single = replace(entry, batched=False)
        try:
            return _read_in_layout(model, context, single, output)
        except InputError:
            pass
        raise


def _read_in_layout(model: onnx.ModelProto, context: str, entry: GraphInput, output: str) -> tuple[Walk, GraphInput]:
    try:
        return _walk(model, context, entry, output, {}, 1.0), entry
    except InputLayout as needed:
        entry = replace(entry, layout=needed.order)
        return _walk(model, context, entry, output, {}, 1.0), entry


def _walk(
    model: onnx.ModelProto, context: str, entry: GraphInput, output: str, thresholds: Thresholds, unit: float
) -> Walk:
    graph = model.graph
    readers = Counter(str(source) for node in graph.node for source in node.input)
    readers[output] += 1
    free = math.prod(entry.shape) if entry.layout is None else 0
    walk = Walk(
        context, thresholds, readers, ends_of(graph, output, readers), output, _opset(model, context), entry.batch,
        entry.batched, free,
    )  # fmt: skip
    walk.constants |= {tensor.name: _array(tensor, context) for tensor in graph.initializer}
    walk.put(entry.name, entry.tensor(tensor_of(walk.builder.input(entry.name, entry.network_shape, unit))))
    for proto in graph.node:
        if is_behind_the_end(proto, walk):
            skip(proto, walk)
            continue
        _check_owner(proto, context)
        if proto.op_type == "Constant":
            walk.constants[str(proto.output[0])] = _constant(Node(proto, walk, CONSTANT))
        elif folds(proto, walk):
            arrays = fold(proto, walk)
            walk.constants |= dict(zip((str(name) for name in proto.output if name), arrays, strict=True))
        else:
            _store(proto, _converted(proto, walk), walk)
    if output not in walk.tensors and output not in walk.taken_off:
        raise InputError(f"{context}: its output {output!r} does not depend on its input")
    walk.builder.readout(_answer(walk))
    return walk


def _store(proto: onnx.NodeProto, result: Tensor, walk: Walk) -> None:
    """A node's output: a signal, or the end of the network if the node was left out."""
    name = str(proto.output[0])
    left_out = proto.op_type in TAKEN_OFF
    if left_out:
        walk.taken_off[name] = result
        if proto.op_type == "ArgMax":
            walk.classes.add(name)
    else:
        walk.put(name, result)


def _answer(walk: Walk) -> Value:
    """What is read out, in ONNX's order of elements; raises InputError if that is not the network's own."""
    tensor = next(iter(walk.taken_off.values())) if walk.taken_off else walk.tensors[walk.answer]
    if not tensor.plain:
        raise InputError(
            f"{walk.context}: the axes of its output {walk.answer!r} were moved or padded; leave out the last Transpose"
        )
    one_axis = len(tensor.shape) <= 2 and tensor.value.shape != tensor.shape[-1:]
    return walk.builder.flat(tensor.value, f"{walk.answer}_flat") if one_axis else tensor.value


def _opset(model: onnx.ModelProto, context: str) -> int:
    """The version of ONNX's own operators, which defines their meaning."""
    # scikit-learn's exporter gives the same version twice
    versions = sorted({int(given.version) for given in model.opset_import if given.domain in ("", "ai.onnx")})
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


def _converted(proto: onnx.NodeProto, walk: Walk) -> Tensor:
    operator = OPERATORS.get(proto.op_type)
    if operator is None:
        remedy = REMEDIES.get(proto.op_type, f"known are {', '.join(OPERATORS)}")
        raise InputError(f"{label(proto, walk.context)}: is not converted; {remedy}")
    operator.check(proto, walk)
    node = Node(proto, walk, operator.attributes)
    try:
        result = operator.convert(node)
    except (InputError, InputLayout):
        raise
    except Exception as error:  # numbers of a malicious file can fail anywhere in NumPy or nir
        raise InputError(f"{node.label}: its numbers do not fit ({reason(error)}); export it again") from error
    value = result.value if isinstance(result, Tensor) else result
    if min(value.shape, default=0) < 1 or value.size > LARGEST_LAYER:
        raise InputError(f"{node.label}: outputs {value.shape}, which fits no chip; use a smaller network")
    return result if isinstance(result, Tensor) else tensor_of(result)


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
