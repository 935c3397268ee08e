"""Random ONNX graphs of every operator that is read, with any attribute that ONNX allows.

Onnxruntime decides what is allowed: each node is tried on its own as it is added, with the arrays that reach it, and
left out where it is refused. Most attributes are drawn such that the node can be converted, so that graphs get through.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSETS = (7, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 21, 22, 23)
Array = NDArray[Any]


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

    def __init__(self, rng: Any) -> None:
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
        drawn = _DRAW[kind](self)
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


Drawn = tuple[list[str], dict[str, Any], int]


def _moderate(values: Array) -> bool:
    return values.dtype.kind != "f" or bool(np.isfinite(values).all() and np.abs(values.astype(float)).max() < 1e4)


def draw_graph(rng: Any, size: int = 7) -> Graph:
    """A graph of up to about `size` nodes; its output is mostly the last signal, or one that others read, too."""
    graph = Graph(rng)
    kinds = list(_DRAW)
    for _ in range(rng.randrange(2, size)):
        newest = list(graph.arrays.values())[-1].ndim
        common = ["Relu", "Conv", "BatchNormalization", "Flatten"] if newest == 4 else ["Relu", "Gemm", "Gemm", "Mul"]
        common += {4: ["Transpose", "Pad"], 3: ["Unsqueeze", "Conv", "Transpose", "Flatten"]}.get(newest, [])
        graph.add(rng.choice(kinds if rng.random() < 0.6 else common))
        if rng.random() < 0.35:
            graph.add("Relu")
        if newest == 4 and graph.opset < 10 and rng.random() < 0.2:
            graph.add("Upsample")
        if graph.kinds & {"GlobalAveragePool", "ReduceMean"} and rng.random() < 0.3:
            graph.add("Squeeze")
    if not any(node.op_type == "Relu" for node in graph.nodes):
        graph.add("Relu")
    if rng.random() < 0.15:
        graph.add(rng.choice(("Softmax", "LogSoftmax", "Sigmoid")))
        graph.add(rng.choice(("Identity", "Dropout", "Cast", "Softmax", "Relu", "ArgMax", "ArgMax")))
        if rng.random() < 0.3:
            graph.add(rng.choice(("Cast", "Reshape", "Squeeze", "Unsqueeze", "ArgMax", "Relu")))
    names = [name for name in graph.arrays if name != "x"] or ["x"]
    graph.outputs = [names[-1] if rng.random() < 0.8 else rng.choice(names)]
    if rng.random() < 0.04:
        graph.outputs.append(rng.choice([n for n in graph.arrays if n not in graph.outputs] or names))
        graph.outputs = list(dict.fromkeys(graph.outputs))
    return graph


def _shape(graph: Graph, name: str) -> tuple[int, ...]:
    return graph.arrays[name].shape


def _gemm(graph: Graph) -> Drawn:
    x, rng = graph.signal(), graph.rng
    shape = _shape(graph, x)
    trans_a, trans_b, outputs = graph.rare(0, 1), rng.choice((0, 1)), rng.choice((2, 3, 4))
    before = shape[0] if trans_a else shape[-1]
    inputs = [x, graph.normal(*((outputs, before) if trans_b else (before, outputs)))]
    bias = graph.rare((outputs,), (), (1,), (1, outputs), (graph.batch, 1), (graph.batch, outputs), None)
    if bias is not None:
        inputs.append(graph.normal(*bias))
    attributes: dict[str, Any] = {"transA": trans_a, "transB": trans_b}
    attributes |= rng.choice(({}, {"alpha": 0.5}, {"beta": -1.5, "alpha": 2.0}, {"beta": 0.0}))
    return inputs, attributes, 0


def _matmul(graph: Graph) -> Drawn:
    x = graph.signal()
    width, outputs = _shape(graph, x)[-1], graph.rng.choice((2, 3, 4))
    if graph.rng.random() < 0.1:
        return [graph.normal(_shape(graph, x)[0], _shape(graph, x)[0]), x], {}, 0
    return [x, graph.normal(*graph.rare((width, outputs), (width,), (1, width, outputs)))], {}, 0


def _windows(graph: Graph, dimensions: int) -> dict[str, Any]:
    rng = graph.rng
    if dimensions == 1:
        found = {"strides": graph.rare([1], [2])} | graph.rare({}, {"pads": [1, 1]}, {"pads": [0, 1]}, {"pads": [2, 0]})
        return found | graph.rare({}, {"auto_pad": "VALID"}, {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"})
    pad = rng.choice((0, 1))
    found = {"strides": graph.rare([1, 1], [2, 2], [1, 2])}
    found |= graph.rare({}, {"pads": [pad] * 4}, {"pads": [0, 1, 0, 1]}, {"pads": [1, 0, 0, 1]}, {"pads": [0] * 4})
    found |= graph.rare(
        {}, {"auto_pad": "VALID"}, {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"}, {"auto_pad": "NOTSET"}
    )
    return found


def _conv(graph: Graph) -> Drawn | None:
    x, rng = graph.signal(), graph.rng
    dimensions = len(_shape(graph, x)) - 2
    if dimensions not in (1, 2):
        return None
    channels = _shape(graph, x)[1]
    group = graph.rare(1, channels)
    kernel = rng.choice(((1, 1), (3, 3), (2, 2), (1, 3)) if dimensions == 2 else ((1,), (2,), (3,)))
    outputs = group * rng.choice((1, 2)) if group > 1 else rng.choice((2, 3, 4))
    attributes = _windows(graph, dimensions)
    attributes |= graph.rare({}, {"dilations": [1, 1]}, {"dilations": [2, 1]}) if dimensions == 2 else {}
    attributes |= rng.choice(({}, {"kernel_shape": list(kernel)})) | ({"group": group} if group > 1 else {})
    if rng.random() < 0.4 and kernel == (3, 3):
        attributes["pads"] = [1] * 4
    inputs = [x, graph.normal(outputs, channels // group, *kernel)]
    return [*inputs, *([graph.normal(outputs)] if rng.random() < 0.7 else [])], attributes, 0


def _batch_norm(graph: Graph) -> Drawn | None:
    x, rng = graph.signal(), graph.rng
    if len(_shape(graph, x)) < 2:
        return None
    channels = _shape(graph, x)[1]
    shape = (channels,)
    attributes: dict[str, Any] = rng.choice(({}, {"epsilon": 0.1}, {"momentum": 0.5}))
    further = 0
    if graph.opset < 9 and rng.random() < 0.3:
        attributes = {**attributes, "spatial": rng.choice((0, 1))}
        shape = shape if attributes["spatial"] else _shape(graph, x)[1:]
    if graph.opset >= 14 and rng.random() < 0.2:
        attributes = {**attributes, "training_mode": rng.choice((0, 1))}
        further = 2 if attributes["training_mode"] else 0
    variance = graph.constant(graph.numbers.uniform(0.3, 2, shape))
    return [x, *(graph.normal(*shape) for _ in range(3)), variance], attributes, further


def _clip(graph: Graph) -> Drawn:
    low, high = graph.rare(0.0, -1.0, 0.5, None), graph.rng.choice((0.5, 1.0, 6.0, None))
    x = graph.signal()
    if graph.opset < 11:
        return [x], {key: v for key, v in (("min", low), ("max", high)) if v is not None}, 0
    kind = graph.arrays[x].dtype
    names = ["" if bound is None else graph.constant(bound, kind) for bound in (low, high)]
    return [x, *names[: graph.rng.choice((2, 2, 2, 1))]], {}, 0


def _average_pool(graph: Graph) -> Drawn | None:
    x, rng = graph.signal(), graph.rng
    dimensions = len(_shape(graph, x)) - 2
    if dimensions not in (1, 2):
        return None
    kernel = rng.choice(([2, 2], [1, 2], [3, 3]) if dimensions == 2 else ([2], [3]))
    attributes = {"kernel_shape": kernel} | _windows(graph, dimensions)
    attributes |= rng.choice(({}, {"count_include_pad": rng.choice((0, 1))}))
    if graph.opset >= 10:
        attributes |= graph.rare({}, {"ceil_mode": 1}, {"ceil_mode": 0})
    if graph.opset >= 19 and dimensions == 2:
        attributes |= graph.rare({}, {"dilations": [2, 1]}, {"dilations": [1, 1]})
    return [x], attributes, 0


def _conv_transpose(graph: Graph) -> Drawn | None:
    x, rng = graph.signal(), graph.rng
    if len(_shape(graph, x)) != 4:
        return None
    channels, group = _shape(graph, x)[1], 1
    group = channels if rng.random() < 0.3 else 1
    each, kernel = rng.choice((1, 2)), rng.choice(([2, 2], [3, 3], [1, 2]))
    strides, dilations = rng.choice(([2, 2], [1, 1], [2, 1])), graph.rare([1, 1], [2, 1])
    attributes: dict[str, Any] = {"strides": strides, "dilations": dilations, "group": group}
    attributes |= rng.choice(({}, {"pads": [1, 0, 0, 1]}, {"pads": [1, 1, 1, 1]}, {"kernel_shape": kernel}))
    attributes |= graph.rare(
        {}, {"output_padding": [strides[0] - 1, 0]}, {"auto_pad": "VALID"}, {"auto_pad": "SAME_UPPER"}
    )
    inputs = [x, graph.normal(channels, each, *kernel)]
    return [*inputs, *([graph.normal(each * group)] if rng.random() < 0.5 else [])], attributes, 0


def _concat(graph: Graph) -> Drawn:
    x, rng = graph.signal(), graph.rng
    shape = _shape(graph, x)
    fits = [
        name for name, array in graph.arrays.items()
        if array.ndim == len(shape) and array.dtype == graph.arrays[x].dtype
        and array.shape[:1] + array.shape[2:] == shape[:1] + shape[2:]
    ]  # fmt: skip
    others = [rng.choice(fits) for _ in range(rng.choice((1, 1, 2)))]
    if rng.random() < 0.05:
        others.append(graph.normal(*shape))
    axis = graph.rare(1, len(shape) - 1, 0, *((-len(shape) + 1,) if graph.opset >= 11 else ()))
    return _shuffled(graph, [x, *others])[0], {"axis": axis}, 0


def _resize(graph: Graph) -> Drawn | None:
    x, rng = graph.signal(), graph.rng
    shape = _shape(graph, x)
    if len(shape) != 4 or graph.opset < 10:
        return None
    scales = [
        1.0,
        graph.rare(1.0, 2.0),
        *rng.choice(((2.0, 2.0), (2.0, 1.0), (3.0, 2.0), (1.5, 2.5), (0.5, 1.0), (0.6, 0.7))),
    ]
    attributes: dict[str, Any] = {"mode": graph.rare("nearest", "linear")}
    if graph.opset == 10:
        return [x, graph.constant(scales)], attributes, 0
    modes = ("half_pixel", "asymmetric", "pytorch_half_pixel", "align_corners")
    modes += ("half_pixel_symmetric",) if graph.opset >= 19 else ()
    roundings = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    attributes |= rng.choice(({}, {"coordinate_transformation_mode": rng.choice(modes)}))
    attributes |= rng.choice(({}, {"nearest_mode": rng.choice(roundings)}))
    roi = "" if graph.opset >= 13 else graph.constant(np.zeros(0))
    if rng.random() < 0.5:
        if graph.opset >= 18 and rng.random() < 0.4:
            return [x, "", graph.constant(scales[2:])], {**attributes, "axes": [2, 3]}, 0
        return [x, roi, graph.constant(scales)], attributes, 0
    sizes = [shape[0], shape[1], *(max(1, int(n * s)) for n, s in zip(shape[2:], scales[2:], strict=True))]
    empty = "" if graph.opset >= 13 else graph.constant(np.zeros(0))
    if graph.opset >= 18:
        attributes |= graph.rare({}, {"keep_aspect_ratio_policy": "not_larger"}, {"antialias": 1})
    return [x, roi, empty, graph.constant(sizes, np.int64)], attributes, 0


def _upsample(graph: Graph) -> Drawn | None:
    x, rng = graph.signal(), graph.rng
    if len(_shape(graph, x)) != 4 or graph.opset > 9:
        return None
    scales = [1.0, 1.0, *rng.choice(((2.0, 2.0), (2.0, 1.0), (3.0, 2.0), (1.5, 2.5)))]
    attributes: dict[str, Any] = {"mode": graph.rare("nearest", "linear")}
    if graph.opset < 9:
        return [x], {**attributes, "scales": scales}, 0
    return [x, graph.constant(scales)], attributes, 0


def _max_pool(graph: Graph) -> Drawn | None:
    x, rng = graph.signal(), graph.rng
    if len(_shape(graph, x)) != 4:
        return None
    attributes: dict[str, Any] = {"kernel_shape": rng.choice(([2, 2], [1, 2], [3, 3], [2, 3]))}
    attributes |= rng.choice(({}, {"strides": [2, 2]}, {"strides": [1, 2]}, {"strides": [3, 3]}))
    padded = ({"pads": [1, 0, 0, 0]}, {"pads": [0, 1, 1, 1]}, {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"})
    attributes |= graph.rare({}, *padded, {"auto_pad": "VALID"})
    if graph.opset >= 8:
        attributes |= graph.rare({}, {"storage_order": 1})
    if graph.opset >= 10:
        attributes |= rng.choice(({}, {}, {"ceil_mode": 1}, {"dilations": [2, 1]}))
    return [x], attributes, 0


def _plain(graph: Graph) -> Drawn:
    return [graph.signal()], {}, 0


def _axes_of(graph: Graph, x: str, axes: list[int] | None, since: int) -> tuple[list[str], dict[str, Any]]:
    """The axes as an attribute, or from an opset on as an input."""
    # axes counted from the end came with opset 11
    if axes is None or (not axes and graph.opset < since) or (min(axes, default=0) < 0 and graph.opset < 11):
        return [x], {}
    if graph.opset < since:
        return [x], {"axes": axes}
    return [x, graph.constant(axes, np.int64)], {}


def _mean(graph: Graph) -> Drawn:
    axes = graph.rare([2, 3], [3, 2], [-1, -2], [1], [0], [2], [1, 2], [1, 2, 3], None, [])
    inputs, attributes = _axes_of(graph, graph.signal(), axes, 18)
    attributes |= graph.rng.choice(({}, {"keepdims": 0}, {"keepdims": 1}))
    if graph.opset >= 18:
        attributes |= graph.rare({}, {"noop_with_empty_axes": 1}, {"noop_with_empty_axes": 0})
    return inputs, attributes, 0


def _flatten(graph: Graph) -> Drawn:
    negative = (-1, -3) if graph.opset >= 11 else ()
    axis = graph.rare(1, 0, 2, 3, *negative)
    return [graph.signal()], {} if axis == 1 else {"axis": axis}, 0


def _reshape(graph: Graph) -> Drawn:
    x, rng = graph.signal(), graph.rng
    shape = _shape(graph, x)
    size, first = math.prod(shape[1:]), shape[0]
    flat = rng.choice(([0, -1], [-1, size], [first, -1], [first, size], [0, size]))
    others: tuple[list[int], ...] = (
        [0] * len(shape), [0, 0, -1], [-1], [1, -1], [-1, first], [*shape[1:], first], list(shape), [0, -1, 2], [2, -1],
        [0, -1, *shape[2:]], [0, 1, -1], [0, *shape[1:], 1],
    )  # fmt: skip
    if rng.random() < 0.3:
        name = graph.length(x, 0)
        name_of_rest = graph.part(f"{name}_rest", np.array(rng.choice(([-1], [size], shape[1:], [1])), np.int64))
        values = np.array([first, *numpy_helper.to_array(graph.weights[name_of_rest])], np.int64)
        shaped = graph.part(f"{name}_shape", values)
        graph.chain.append(helper.make_node("Concat", [name, name_of_rest], [shaped], axis=0))
        return [x, shaped], {}, 0
    attributes = {"allowzero": rng.choice((0, 1))} if graph.opset >= 14 and rng.random() < 0.3 else {}
    return [x, graph.constant(graph.rare(flat, *others), np.int64)], attributes, 0


def _squeeze(graph: Graph) -> Drawn:
    axes = graph.rare([2, 3], [-1, -2], [2], [3], [0], [1], None, [])
    return (*_axes_of(graph, graph.signal(), axes, 13), 0)


def _unsqueeze(graph: Graph) -> Drawn:
    axes = graph.rare([1], [2], [-1], [0], [1, 2], [3, 2])
    return (*_axes_of(graph, graph.signal(), axes, 13), 0)


def _transpose(graph: Graph) -> Drawn:
    x = graph.signal()
    rank = len(_shape(graph, x))
    usual = {4: ([0, 3, 1, 2], [0, 2, 3, 1]), 3: ([0, 2, 1],)}.get(rank, (list(range(rank)),))
    others = ([*range(rank)][::-1], graph.rng.sample(range(rank), rank))
    perm = graph.rare(graph.rng.choice(usual), *others, None)
    return [x], {} if perm is None else {"perm": perm}, 0


def _pad(graph: Graph) -> Drawn:
    x, rng = graph.signal(), graph.rng
    rank = len(_shape(graph, x))
    pads = [0] * (2 * rank)
    for axis in range(2, rank) if rng.random() < 0.7 else range(rank):
        pads[axis], pads[rank + axis] = rng.choice((0, 1)), graph.rare(rng.choice((0, 1, 2)), -1)
    number = graph.rare(0.0, 0.5)
    attributes = graph.rare({}, {"mode": "constant"}, {"mode": "reflect"}, {"mode": "edge"})
    if graph.opset < 11:
        return [x], attributes | {"pads": pads} | graph.rare({}, {"value": number}), 0
    inputs = [x, graph.constant(pads, np.int64), *graph.rare([], [graph.constant(number, graph.arrays[x].dtype)])]
    return inputs, attributes, 0


def _argmax(graph: Graph) -> Drawn:
    axis = graph.rare(1, 0, 2, None, *((-1,) if graph.opset >= 11 else ()))
    attributes = {} if axis is None else {"axis": axis}
    attributes |= graph.rng.choice(({}, {"keepdims": 0}, {"keepdims": 1}))
    return [graph.signal()], attributes | (graph.rare({}, {"select_last_index": 1}) if graph.opset >= 12 else {}), 0


def _elementwise(graph: Graph) -> Drawn:
    x, rng = graph.signal(), graph.rng
    if rng.random() < 0.3:
        like = [name for name, array in graph.arrays.items() if array.shape == _shape(graph, x)]
        return [x, rng.choice(like if rng.random() < 0.8 else list(graph.arrays))], {}, 0
    return _shuffled(graph, [x, _constant_for(graph, x)])


def _constant_for(graph: Graph, x: str) -> str:
    shape = _shape(graph, x)
    channels = shape[1] if len(shape) > 1 else 1
    each = (channels, *[1] * (len(shape) - 2))
    wrong = ((graph.batch, 1), shape, shape[1:], (1,) * 5, (1,) * len(shape), shape[-1:], (1, *each), (2, 1))
    values = graph.numbers.uniform(0.3, 1.5, graph.rare(graph.rng.choice(((), (1,), each)), *wrong))
    dtype = graph.arrays[x].dtype
    # whole numbers divided by 0 end the process
    return graph.constant(values if dtype.kind == "f" else np.ceil(values), dtype)


def _shuffled(graph: Graph, inputs: list[str]) -> Drawn:
    return (inputs[::-1] if graph.rng.random() < 0.2 else inputs), {}, 0


def _sum(graph: Graph) -> Drawn:
    x, rng = graph.signal(), graph.rng
    like = [name for name, array in graph.arrays.items() if array.shape == _shape(graph, x)]
    others = [rng.choice(like) if rng.random() < 0.6 else _constant_for(graph, x) for _ in range(rng.randrange(4))]
    return _shuffled(graph, [x, *others])


def _dropout(graph: Graph) -> Drawn:
    x, rng = graph.signal(), graph.rng
    further = rng.choice((0, 0, 1))
    if graph.opset < 12:
        return [x], rng.choice(({}, {"ratio": 0.3})), further
    ratio = rng.choice(("", graph.constant(0.4)))
    training = [] if rng.random() < 0.6 else [graph.constant(rng.random() < 0.3, np.bool_)]
    return [x, *([ratio] if ratio or training else []), *training], rng.choice(({}, {"seed": 3})), further


def _cast(graph: Graph) -> Drawn:
    kinds = (TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL, TensorProto.UINT8, TensorProto.DOUBLE)
    to = graph.rare(TensorProto.FLOAT, *kinds, TensorProto.FLOAT16, TensorProto.FLOAT16)
    return [graph.signal()], {"to": to} | ({"saturate": 0} if graph.opset >= 19 and graph.rng.random() < 0.2 else {}), 0


def _softmax(graph: Graph) -> Drawn:
    negative = (-1, -2) if graph.opset >= 11 else ()
    axis = graph.rare(None, 1, 0, 2, *negative)
    return [graph.signal()], {} if axis is None else {"axis": axis}, 0


_DRAW: dict[str, Callable[[Graph], Drawn | None]] = {
    "Gemm": _gemm, "MatMul": _matmul, "Conv": _conv, "BatchNormalization": _batch_norm, "Relu": _plain, "Clip": _clip,
    "ConvTranspose": _conv_transpose, "Concat": _concat, "Resize": _resize, "Upsample": _upsample,
    "MaxPool": _max_pool, "GlobalMaxPool": _plain,
    "AveragePool": _average_pool, "GlobalAveragePool": _plain, "ReduceMean": _mean, "Flatten": _flatten,
    "Reshape": _reshape, "Squeeze": _squeeze, "Add": _elementwise, "Sum": _sum, "Sub": _elementwise,
    "Mul": _elementwise, "Div": _elementwise, "Identity": _plain, "Dropout": _dropout, "Cast": _cast,
    "Softmax": _softmax, "LogSoftmax": _softmax, "Sigmoid": _plain, "ArgMax": _argmax, "Transpose": _transpose,
    "Unsqueeze": _unsqueeze, "Pad": _pad,
}  # fmt: skip
KINDS = tuple(_DRAW)
