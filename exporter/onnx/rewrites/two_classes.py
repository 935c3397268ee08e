"""Probabilities (1 - p, p) of two classes, p = sigmoid(z), as sigmoid of (-z, z), which is the same."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper


def with_two_classes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with every Concat of 1 - sigmoid(z) and sigmoid(z) replaced; z of several numbers is refused later."""
    made = {str(node.output[0]): node for node in model.graph.node if node.output}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes, weights = list[onnx.NodeProto](), list[onnx.TensorProto]()
    for node in model.graph.node:
        z = _z(node, made, constants)
        if z is None:
            nodes.append(node)
            continue
        name = str(node.output[0])
        weights.append(numpy_helper.from_array(np.array([[-1, 1]], np.float32), f"{name}_signs"))
        nodes.append(helper.make_node("MatMul", [z, f"{name}_signs"], [f"{name}_logits"]))
        nodes.append(helper.make_node("Sigmoid", [f"{name}_logits"], [name], name=node.name))
    if not weights:
        return model
    result = onnx.ModelProto()
    result.CopyFrom(model)
    result.graph.ClearField("node")
    result.graph.node.extend(nodes)
    result.graph.initializer.extend(weights)
    return result


def _z(node: onnx.NodeProto, made: dict[str, onnx.NodeProto], constants: dict[str, onnx.TensorProto]) -> str | None:
    """The input of the sigmoid in Concat(1 - p, p), None for another node."""
    if node.op_type != "Concat" or node.domain or len(node.input) != 2:
        return None
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), None)
    less, p = (made.get(str(name)) for name in node.input)
    if axis not in (1, -1) or less is None or p is None or less.op_type != "Sub" or p.op_type != "Sigmoid":
        return None
    if less.domain or p.domain or len(less.input) != 2 or less.input[1] != p.output[0]:
        return None
    one = constants.get(str(less.input[0]))
    if one is None or not np.array_equal(numpy_helper.to_array(one).reshape(-1), [1]):
        return None
    return str(p.input[0])
