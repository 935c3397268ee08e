"""Small ONNX networks of ReLUs, built operator by operator, and a strategy for all of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from strategies import seeds


class Model:
    """A model as it grows: `now` is the tensor at its end, `shape` that tensor's without the batch."""

    def __init__(self, shape: tuple[int, ...], seed: int = 0, batch: Any = "N") -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.now, self.shape, self.entered, self.batch = "x", shape, shape, batch

    def add(self, kind: str, *constants: Any, inputs: tuple[str, ...] = (), **attributes: Any) -> str:
        """One node that reads the end (or `inputs`), then these constants."""
        names = []
        for constant in constants:
            names.append(f"c{len(self.weights)}")
            given = np.asarray(constant)
            held = given.astype(np.float32) if given.dtype.kind == "f" else given.astype(np.int64)
            self.weights.append(numpy_helper.from_array(held, names[-1]))
        result = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, [*(inputs or (self.now,)), *names], [result], **attributes))
        self.now = result
        return result

    def dense(self, size: int, by_matmul: bool = False) -> None:
        before = math.prod(self.shape)
        weight = self.rng.normal(0, 1.4 / np.sqrt(before), (size, before))
        bias = self.rng.normal(0, 0.2, size)
        if by_matmul:
            self.add("MatMul", weight.T)
            self.add("Add", bias)
        else:
            self.add("Gemm", weight, bias, transB=1)
        self.shape = (size,)

    def conv(self, out: int, kernel: int = 3, stride: int = 1, padding: int = 1, groups: int = 1) -> None:
        channels, *size = self.shape
        weight = self.rng.normal(
            0, 1.4 / np.sqrt(channels * kernel**2 / groups), (out, channels // groups, kernel, kernel)
        )
        pads, strides = [padding] * 4, [stride] * 2
        self.add("Conv", weight, self.rng.normal(0, 0.2, out), pads=pads, strides=strides, group=groups)
        self.shape = (out, *((n + 2 * padding - kernel) // stride + 1 for n in size))

    def batch_norm(self) -> None:
        n = self.shape[0]
        each = self.rng.uniform
        self.add("BatchNormalization", each(0.7, 1.3, n), each(-0.2, 0.2, n), each(-0.2, 0.2, n), each(0.7, 1.3, n))

    def pool(self, size: int = 2) -> None:
        self.add("AveragePool", kernel_shape=[size] * 2, strides=[size] * 2)
        self.shape = (self.shape[0], *((n - size) // size + 1 for n in self.shape[1:]))

    def proto(self) -> onnx.ModelProto:
        entered = helper.make_tensor_value_info("x", TensorProto.FLOAT, [self.batch, *self.entered])
        left = helper.make_tensor_value_info(self.now, TensorProto.FLOAT, [self.batch, *self.shape])
        graph = helper.make_graph(self.nodes, "drawn", [entered], [left], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def save(self, path: Path) -> Path:
        onnx.save(self.proto(), str(path))
        return path


@st.composite
def relu_networks(draw: st.DrawFn, ceilings: bool = True) -> Model:
    """Convolutions, residual sums, pooling, dense layers, with and without batch norm, ended by logits."""
    image = draw(st.booleans())
    model = Model((2, 6, 6) if image else (6,), draw(seeds))

    def relu() -> None:
        if ceilings and draw(st.integers(0, 4)) == 0:
            model.add("Clip", np.float32(0), np.float32(6))
        else:
            model.add("Relu")

    for _ in range(draw(st.integers(0, 2)) if image else 0):
        form = draw(st.sampled_from(["plain", "norm", "residual", "depthwise"]))
        if form == "residual":
            model.conv(3)
            relu()
            skip = model.now
            model.conv(3)
            inner = model.now
            model.add("Add", inputs=(inner, skip))
        else:
            model.conv(
                4 if form != "depthwise" else model.shape[0], groups=model.shape[0] if form == "depthwise" else 1
            )
            if form == "norm":
                model.batch_norm()
        relu()
        if min(model.shape[1:]) >= 2 and draw(st.booleans()):
            model.pool()
    if image:
        end = draw(st.sampled_from(["Flatten", "Reshape", "GlobalAveragePool"]))
        if end == "GlobalAveragePool":
            model.add(end)
            model.shape = (model.shape[0], 1, 1)
        model.add("Reshape", np.array([0, -1])) if end == "Reshape" else model.add("Flatten")
        model.shape = (math.prod(model.shape),)
    model.dense(8, draw(st.booleans()))
    relu()
    model.dense(4, draw(st.booleans()))
    return model
