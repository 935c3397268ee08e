"""Random ONNX graphs of every operator that is read, with any attribute that ONNX allows.

Onnxruntime decides what is allowed: each node is tried on its own as it is added, with the arrays that reach it, and
left out where it is refused. Most attributes are drawn such that the node can be converted, so that graphs get through.
"""

from __future__ import annotations

from typing import Any

import onnx_layer_draws as layers
import onnx_shape_draws as shapes
import onnx_value_draws as values
from onnx_graph import Draw, Graph, run_onnx

__all__ = ["KINDS", "Graph", "draw_graph", "run_onnx"]


def draw_graph(rng: Any, size: int = 7) -> Graph:
    """A graph of up to about `size` nodes; its output is mostly the last signal, or one that others read, too."""
    graph = Graph(rng, _DRAW)
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


_DRAW: dict[str, Draw] = {
    "Gemm": layers.gemm,
    "MatMul": layers.matmul,
    "Conv": layers.conv,
    "BatchNormalization": layers.batch_norm,
    "Relu": values.plain,
    "Clip": values.clip,
    "ConvTranspose": layers.conv_transpose,
    "Concat": shapes.concat,
    "Resize": layers.resize,
    "Upsample": layers.upsample,
    "MaxPool": layers.max_pool,
    "GlobalMaxPool": values.plain,
    "AveragePool": layers.average_pool,
    "GlobalAveragePool": values.plain,
    "ReduceMean": shapes.mean,
    "Flatten": shapes.flatten,
    "Reshape": shapes.reshape,
    "Squeeze": shapes.squeeze,
    "Add": values.elementwise,
    "Sum": values.sum_of_several,
    "Sub": values.elementwise,
    "Mul": values.elementwise,
    "Div": values.elementwise,
    "Identity": values.plain,
    "Dropout": values.dropout,
    "Cast": values.cast,
    "Softmax": values.softmax,
    "LogSoftmax": values.softmax,
    "Sigmoid": values.plain,
    "ArgMax": values.argmax,
    "Transpose": shapes.transpose,
    "Unsqueeze": shapes.unsqueeze,
    "Pad": shapes.pad,
}
KINDS = tuple(_DRAW)
