"""An ONNX graph as it grows, each node tried by onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSETS = (7, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 21, 22, 23)
Array = NDArray[Any]
Drawn = tuple[list[str], dict[str, Any], int]
Draw = Callable[["Graph"], "Drawn | None"]
"""Inputs, attributes and the number of further outputs of a node; None where it is not possible."""


def run_onnx(model: onnx.ModelProto, feeds: dict[str, Array]) -> list[Array]:
    """The outputs by onnxruntime, node by node as they stand."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found: list[Array] = session.run(None, feeds)
    return found


class Graph:
    """A graph as it grows; rng is a random.Random, or hypothesis's. arrays: each signal on x (batch, *shape)."""

    def __init__(self, rng: Any, draws: Mapping[str, Draw]) -> None:
        self.draws = draws
        self.rng = rng
        self.numbers = np.random.default_rng(rng.randrange(1 << 30))
        self.opset, self.batch = rng.choice(OPSETS), rng.choice((1, 2, 3, 4))
        shape = rng.choice((
            (4,), (6,), (3, 4, 4), (2, 5, 4), (4, 1, 1), (1, 4, 4), (4, 4, 2), (4, 5, 1), (3, 5), (4, 4), (6, 1),
        ))  # fmt: skip
        self.x = self.numbers.normal(0, 1, (self.batch, *shape)).astype(np.float32)
        self.fixed = rng.random() < 0.5
        self.arrays: dict[str, Array] = {"x": self.x}
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, onnx.TensorProto] = {}
        self.kinds: set[str] = set()
        self.outputs = ["x"]
        self.halves = False
        # nodes that compute a constant of the node that is tried, and the constants that were computed so
        self.chain: list[onnx.NodeProto] = []
        self.chained: set[str] = set()

    def add(self, kind: str) -> None:
        """Draw a node of that kind; nothing where ONNX does not allow it here."""
        constants, count = len(self.weights), len(self.nodes)
        self.chain = []
        drawn = self.draws[kind](self)
        if drawn is None:
            return
        inputs, attributes, further = drawn
        names = [f"t{count}", *(f"t{count}_{i}" for i in range(further))]
        node = helper.make_node(kind, inputs, names, name=f"n{count}", **attributes)
        found = self._tried(node)
        if found is None or not found[0].ndim or not 0 < found[0].size <= 4096 or not _moderate(found[0]):
            for name in list(self.weights)[constants:]:
                del self.weights[name]
            return
        self.nodes += [*self.chain, node]
        self.chained |= {name for each in self.chain for name in each.output}
        self.arrays[names[0]] = found[0]
        self.kinds.add(kind)
        self.halves |= kind == "Cast" and attributes["to"] == TensorProto.FLOAT16

    def signal(self) -> str:
        """The newest signal, or now and then another, which is then shared."""
        names = list(self.arrays)
        return names[-1] if self.rng.random() < 0.8 else str(self.rng.choice(names))

    def rare(self, usual: Any, *others: Any) -> Any:
        """Mostly the first."""
        return usual if self.rng.random() < 0.85 else self.rng.choice(others)

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        """The name of a new constant: an initialiser, or a Constant node's."""
        name = f"c{len(self.weights)}"
        self.weights[name] = numpy_helper.from_array(np.asarray(values, dtype), name)
        # onnxruntime wants some scalars to be known in advance
        if np.ndim(values) and self.rng.random() < 0.1:
            self.computed(name)
        return name

    def computed(self, name: str) -> None:
        """Let nodes compute a constant that was given."""
        array = numpy_helper.to_array(self.weights[name])
        kinds = ["Identity", "Reshape", *(["Transpose", "Concat"] if array.ndim > 1 else [])]
        kind = self.rng.choice([*kinds, *(["Sub", "Unsqueeze"] if array.dtype == np.float32 else [])])
        before = f"{name}_before"
        attributes: dict[str, Any] = {}
        inputs = [before]
        if kind == "Transpose":
            array = array.T
        elif kind == "Reshape":
            inputs.append(self.part(f"{name}_shape", np.array(array.shape, np.int64)))
            array = array.reshape(-1)
        elif kind == "Sub":
            inputs.append(self.part(f"{name}_one", np.ones((), np.float32)))
            array = array + np.float32(1)
        elif kind == "Concat":
            array, other = array[:1], array[1:]
            inputs.append(self.part(f"{name}_rest", other)) if len(other) else None
            attributes["axis"] = 0
        elif kind == "Unsqueeze":
            inputs, attributes = self.with_axes(before, [0], 13)
            self.chain.append(helper.make_node(kind, inputs, [f"{name}_more"], **attributes))
            inputs, attributes, kind = [*self.with_axes(f"{name}_more", [0], 13), "Squeeze"]
        self.part(before, array)
        if kind in ("Sub", "Concat", "Reshape"):
            self.weights[name] = numpy_helper.from_array(self._value(kind, inputs, attributes), name)
        self.chain.append(helper.make_node(kind, inputs, [name], **attributes))

    def _value(self, kind: str, inputs: list[str], attributes: dict[str, Any]) -> Array:
        node = helper.make_node(kind, inputs, ["value"], **attributes)
        held = [self.weights[name] for name in inputs]
        return run_onnx(self._model([node], [], [onnx.ValueInfoProto(name="value")], held), {})[0]

    def part(self, name: str, values: Array) -> str:
        """A weight of that name."""
        self.weights[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def with_axes(self, name: str, axes: list[int], since: int) -> tuple[list[str], dict[str, Any]]:
        """A node's inputs and attributes: axes are an attribute, or from an opset on an input."""
        if self.opset < since:
            return [name], {"axes": axes}
        return [name, self.part(f"{name}_axes", np.array(axes, np.int64))], {}

    def length(self, x: str, axis: int) -> str:
        """The length of a signal's axis as nodes compute it: Shape, then Gather or Slice."""
        name = f"s{len(self.weights)}"
        self.chain.append(helper.make_node("Shape", [x], [f"{name}_all"]))
        if self.rng.random() < 0.5:
            self.part(f"{name}_at", np.array([axis], np.int64))
            self.chain.append(helper.make_node("Gather", [f"{name}_all", f"{name}_at"], [name]))
        elif self.opset < 10:
            self.chain.append(helper.make_node("Slice", [f"{name}_all"], [name], starts=[axis], ends=[axis + 1]))
        else:
            parts = [self.part(f"{name}_{i}", np.array([axis + i], np.int64)) for i in range(2)]
            self.chain.append(helper.make_node("Slice", [f"{name}_all", *parts], [name]))
        return name

    def normal(self, *shape: int) -> str:
        """A constant of that shape."""
        return self.constant(self.numbers.normal(0, 0.7, shape))

    def model(self) -> onnx.ModelProto:
        """The model; some constants as nodes."""
        entered = [self.batch if self.fixed else "N", *self.x.shape[1:]]
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, entered)]
        left = [onnx.ValueInfoProto(name=name) for name in self.outputs]
        for value in left:
            kind = helper.np_dtype_to_tensor_dtype(self.arrays[value.name].dtype)
            axes = [None if not self.fixed else n for n in self.arrays[value.name].shape]
            value.CopyFrom(helper.make_tensor_value_info(value.name, kind, axes))
        given = [name for name in self.weights if name not in self.chained]
        as_nodes = [name for i, name in enumerate(given) if i % 5 == 4]
        constants = [helper.make_node("Constant", [], [name], value=self.weights[name]) for name in as_nodes]
        held = [self.weights[name] for name in given if name not in as_nodes]
        return self._model([*constants, *self.nodes], inputs, left, held)

    def _model(self, nodes: Any, inputs: Any, outputs: Any, weights: Any) -> onnx.ModelProto:
        graph = helper.make_graph(nodes, "drawn", inputs, outputs, weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)

    def _tried(self, node: onnx.NodeProto) -> list[Array] | None:
        feeds = {name: self.arrays[name] for name in dict.fromkeys(node.input) if name in self.arrays}
        inputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
            for name, a in feeds.items()
        ]
        held = [self.weights[name] for name in dict.fromkeys(node.input) if name in self.weights]
        outputs = [onnx.ValueInfoProto(name=node.output[0])]
        whole = [array for array in feeds.values() if array.dtype.kind in "iu"]
        if node.op_type == "Div" and whole:
            # onnxruntime divides whole numbers by 0 with a crash
            return None
        try:
            return run_onnx(self._model([node], inputs, outputs, held), feeds)
        except Exception:  # onnxruntime's exceptions have no common public base
            return None


def _moderate(values: Array) -> bool:
    return values.dtype.kind != "f" or bool(np.isfinite(values).all() and np.abs(values.astype(float)).max() < 1e4)


def shape_of(graph: Graph, name: str) -> tuple[int, ...]:
    """The shape of a signal."""
    return graph.arrays[name].shape


def shuffled(graph: Graph, inputs: list[str]) -> Drawn:
    """The inputs, in their order or the other one."""
    return (inputs[::-1] if graph.rng.random() < 0.2 else inputs), {}, 0
