"""Graphs as exporters of old wrote them, which pip no longer brings: python benchmarks/onnx/make_zoo.py FOLDER.

CNTK's MNIST and Emotion FERPlus of the ONNX model zoo, and keras2onnx's networks, node by node. The weights are random:
what is compared is the graph.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from samples import CLASSES, make, write_samples


class Graph:
    """Nodes and weights as they are added."""

    def __init__(self, shape: list[Any], opset: int, name: str) -> None:
        self.rng = np.random.default_rng(0)
        self.opset, self.input = opset, helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, name: str, *shape: int) -> str:
        """Random weights that keep the scale of their input."""
        fan_in = np.prod(shape[1:]) if len(shape) == 4 else shape[0]
        values = self.rng.normal(0, np.sqrt(2 / max(fan_in, 1)), shape)
        return self.constant(name, values.astype(np.float32))

    def constant(self, name: str, values: Any) -> str:
        """Given weights."""
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """One node."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def save(self, path: Path, output: str, shape: list[Any], *, weights_as_inputs: bool = False) -> None:
        """Write the model; files of IR version 3 name every weight among the inputs."""
        inputs = [self.input]
        if weights_as_inputs:
            inputs += [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in self.weights]
        left = helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, "zoo", inputs, [left], self.weights)
        opsets = [helper.make_opsetid("", self.opset)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=3 if weights_as_inputs else 6), str(path))


def cntk_mnist(opset: int, pool: str = "MaxPool") -> Callable[[Path, str], None]:
    """mnist-7 and mnist-8: SAME_UPPER, biases (8, 1, 1), the last weights flattened by a Reshape."""

    def write(folder: Path, name: str) -> None:
        g = Graph([1, 1, 8, 8], opset, "Input3")
        window = {"auto_pad": "SAME_UPPER", "strides": [1, 1], "dilations": [1, 1], "group": 1}
        plain = {"auto_pad": "NOTSET", "pads": [0, 0, 0, 0]}
        g.add(
            "Conv",
            ["Input3", g.weight("Parameter5", 8, 1, 5, 5)],
            "Convolution28_Output_0",
            kernel_shape=[5, 5],
            **window,
        )
        g.add("Add", ["Convolution28_Output_0", g.weight("Parameter6", 8, 1, 1)], "Plus30_Output_0")
        g.add("Relu", ["Plus30_Output_0"], "ReLU32_Output_0")
        g.add(pool, ["ReLU32_Output_0"], "Pooling66_Output_0", kernel_shape=[2, 2], strides=[2, 2], **plain)
        g.add("Conv", ["Pooling66_Output_0", g.weight("Parameter87", 16, 8, 5, 5)], "Convolution110_Output_0",
              kernel_shape=[5, 5], **window)  # fmt: skip
        g.add("Add", ["Convolution110_Output_0", g.weight("Parameter88", 16, 1, 1)], "Plus112_Output_0")
        g.add("Relu", ["Plus112_Output_0"], "ReLU114_Output_0")
        g.add(pool, ["ReLU114_Output_0"], "Pooling160_Output_0", kernel_shape=[2, 2], strides=[2, 2], **plain)
        shape = g.constant("Pooling160_Output_0_reshape0_shape", np.array([1, 64]))
        g.add("Reshape", ["Pooling160_Output_0", shape], "Pooling160_Output_0_reshape0")
        shape = g.constant("Parameter193_reshape1_shape", np.array([64, 10]))
        weight = g.constant("Parameter193", g.rng.normal(0, 0.18, (16, 2, 2, 10)).astype(np.float32))
        g.add("Reshape", [weight, shape], "Parameter193_reshape1")
        g.add("MatMul", ["Pooling160_Output_0_reshape0", "Parameter193_reshape1"], "Times212_Output_0")
        g.add("Add", ["Times212_Output_0", g.weight("Parameter194", 1, 10)], "Plus214_Output_0")
        g.save(folder / f"{name}.onnx", "Plus214_Output_0", [1, CLASSES], weights_as_inputs=opset < 12)
        write_samples(folder, name, (1, 8, 8))

    return write


def ferplus(folder: Path, name: str) -> None:
    """Emotion FERPlus, shorter: the input is centred in the graph, pairs of convolutions, MaxPool, Dropout."""
    g = Graph([1, 1, 8, 8], 8, "Input3")
    g.add("Sub", ["Input3", g.constant("Constant339", np.float32(0.5))], "Minus340_Output_0")
    g.add("Div", ["Minus340_Output_0", g.constant("Constant343", np.float32(0.25))], "Block352_Output_0")
    last, channels = "Block352_Output_0", 1
    for i, size in enumerate((8, 8)):
        weight = g.weight(f"Parameter{i}", size, channels, 3, 3)
        g.add("Conv", [last, weight], f"Convolution{i}", kernel_shape=[3, 3], strides=[1, 1], auto_pad="SAME_UPPER")
        g.add("Add", [f"Convolution{i}", g.weight(f"Bias{i}", size, 1, 1)], f"Plus{i}")
        last, channels = g.add("Relu", [f"Plus{i}"], f"ReLU{i}"), size
    g.add("MaxPool", [last], "Pooling", kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0])
    g.add("Dropout", ["Pooling"], "Dropout", ratio=0.25)
    g.add("Reshape", ["Dropout", g.constant("shape", np.array([1, 128]))], "flat")
    g.add("Gemm", ["flat", g.weight("W0", 128, 32), g.constant("b0", np.zeros(32, np.float32))], "Plus680")
    g.add("Relu", ["Plus680"], "ReLU682")
    g.add("MatMul", ["ReLU682", g.weight("W1", 32, CLASSES)], "Times691")
    g.add("Add", ["Times691", g.constant("b1", np.zeros(CLASSES, np.float32))], "Plus692_Output_0")
    g.save(folder / f"{name}.onnx", "Plus692_Output_0", [1, CLASSES], weights_as_inputs=True)
    write_samples(folder, name, (1, 8, 8))


def keras2onnx_cnn(folder: Path, name: str) -> None:
    """Channels-last: Transpose around every convolution, BatchNormalization between them, Flatten by Reshape."""
    g = Graph(["N", 8, 8, 1], 11, "conv2d_input")
    g.add("Transpose", ["conv2d_input"], "adjusted_input1", perm=[0, 3, 1, 2])
    kernel = [g.weight("conv2d/kernel", 8, 1, 3, 3), g.constant("conv2d/bias", np.zeros(8, np.float32))]
    window: dict[str, Any] = {"kernel_shape": [3, 3], "strides": [2, 2], "dilations": [1, 1], "group": 1}
    g.add("Conv", ["adjusted_input1", *kernel], "convolution_output", auto_pad="SAME_UPPER", **window)
    values = np.random.default_rng(1).uniform(0.5, 1.5, (4, 8)).astype(np.float32)
    names = ("gamma", "beta", "mean", "variance")
    stats = [g.constant(f"bn/{key}", each) for key, each in zip(names, values, strict=True)]
    g.add("BatchNormalization", ["convolution_output", *stats], "normalised", epsilon=1e-3, momentum=0.99)
    g.add("Transpose", ["normalised"], "biased_tensor_name", perm=[0, 2, 3, 1])
    g.add("Relu", ["biased_tensor_name"], "activated")
    g.add("Transpose", ["activated"], "pool_in", perm=[0, 3, 1, 2])
    g.add("AveragePool", ["pool_in"], "pooled", kernel_shape=[2, 2], strides=[2, 2], auto_pad="VALID")
    g.add("Transpose", ["pooled"], "pool_out", perm=[0, 2, 3, 1])
    g.add("Reshape", ["pool_out", g.constant("shape_tensor", np.array([-1, 32]))], "flattened")
    g.add("MatMul", ["flattened", g.weight("dense/kernel", 32, CLASSES)], "dense0")
    g.add("Add", ["dense0", g.constant("dense/bias", np.zeros(CLASSES, np.float32))], "biased")
    g.add("Softmax", ["biased"], "dense", axis=-1)
    g.save(folder / f"{name}.onnx", "dense", ["N", CLASSES])
    write_samples(folder, name, (8, 8, 1))


def without_batch(folder: Path, name: str) -> None:
    """One vector in, ten numbers out."""
    g = Graph([64], 13, "x")
    g.add("MatMul", ["x", g.weight("w0", 64, 32)], "h0")
    g.add("Relu", ["h0"], "h1")
    g.add("MatMul", ["h1", g.weight("w1", 32, CLASSES)], "y")
    g.save(folder / f"{name}.onnx", "y", [CLASSES])
    write_samples(folder, name, (64,))


KINDS = {
    "zoo_cntk_mnist_opset7": cntk_mnist(7), "zoo_cntk_mnist_opset8": cntk_mnist(8),
    "zoo_cntk_mnist_opset12": cntk_mnist(12), "zoo_cntk_mnist_average_pool": cntk_mnist(8, "AveragePool"),
    "zoo_emotion_ferplus": ferplus, "keras2onnx_cnn": keras2onnx_cnn, "onnx_vector_without_batch": without_batch,
}  # fmt: skip

if __name__ == "__main__":
    make(Path(sys.argv[1]), KINDS)
