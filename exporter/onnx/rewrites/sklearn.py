"""Operators of ai.onnx.ml that scikit-learn's exporter writes, as ONNX's own: Scaler and linear models.

Source: the operator schemas of the domain ai.onnx.ml, versions 1 to 5.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from spikeport.common.errors import InputError
from spikeport.exporter.onnx.operators.attributes import FLOATS, INT, INTS, STRING, STRINGS, Attribute, checked
from spikeport.exporter.onnx.operators.node import label

_DOMAIN = "ai.onnx.ml"
_OPSET = 13
_PROBABILITIES = "use post_transform NONE, SOFTMAX or LOGISTIC"
_TRANSFORM = Attribute(STRING, "NONE", ("NONE", "SOFTMAX", "LOGISTIC"), _PROBABILITIES)
ATTRIBUTES: dict[str, dict[str, Attribute]] = {
    "Scaler": {"offset": Attribute(FLOATS, ()), "scale": Attribute(FLOATS, ())},
    "LinearRegressor": {
        "coefficients": Attribute(FLOATS, ()), "intercepts": Attribute(FLOATS, ()), "targets": Attribute(INT, 1),
        "post_transform": Attribute(STRING, "NONE", ("NONE",), "use post_transform NONE"),
    },
    "LinearClassifier": {
        "classlabels_ints": Attribute(INTS, ()), "classlabels_strings": Attribute(STRINGS, ()),
        "coefficients": Attribute(FLOATS, ()), "intercepts": Attribute(FLOATS, ()),
        # how the coefficients were fitted has no effect
        "multi_class": Attribute(INT, 0, (0, 1)), "post_transform": _TRANSFORM,
    },
}  # fmt: skip
_FINAL = {"NONE": "Identity", "SOFTMAX": "Softmax", "LOGISTIC": "Sigmoid"}


def without_ml_operators(model: onnx.ModelProto, context: str) -> onnx.ModelProto:
    """The model with Scaler, LinearRegressor and LinearClassifier as ONNX's own operators; raises InputError."""
    if not any(node.domain == _DOMAIN for node in model.graph.node):
        return model
    result = onnx.ModelProto()
    result.CopyFrom(model)
    if not any(opset.domain in ("", "ai.onnx") for opset in model.opset_import) and all(
        node.domain == _DOMAIN for node in model.graph.node
    ):
        # a file of these operators alone has no version of ONNX's own
        result.opset_import.append(helper.make_opsetid("", _OPSET))
    parts = _Parts()
    for node in model.graph.node:
        rewrite = _REWRITES.get(node.op_type) if node.domain == _DOMAIN else None
        if rewrite is None:
            parts.nodes.append(node)
        else:
            rewrite(node, parts, label(node, context))
    result.graph.ClearField("node")
    result.graph.node.extend(parts.nodes)
    result.graph.initializer.extend(parts.weights)
    return result


class _Parts:
    """The nodes so far, and the weights that they need."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, kind: str, inputs: list[str], output: str, name: str, **attributes: Any) -> None:
        """One node; onnxruntime refuses two of one name."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=f"{name}_{output}", **attributes))

    def constant(self, name: str, values: Any, dtype: Any = np.float32) -> str:
        """One weight."""
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name


def _scaler(node: onnx.NodeProto, parts: _Parts, name: str) -> None:
    """(x - offset) * scale."""
    given = checked(node, ATTRIBUTES["Scaler"], name)
    _check_ends(node, 1, name)
    result = str(node.output[0])
    offset = parts.constant(f"{result}_offset", given["offset"])
    scale = parts.constant(f"{result}_scale", given["scale"])
    if not given["offset"] or not given["scale"]:
        raise InputError(f"{name}: lacks its offset or its scale; export the network again")
    parts.add("Sub", [str(node.input[0]), offset], f"{result}_centred", node.name)
    parts.add("Mul", [f"{result}_centred", scale], result, node.name)


def _regressor(node: onnx.NodeProto, parts: _Parts, name: str) -> None:
    """x W^T + b."""
    given = checked(node, ATTRIBUTES["LinearRegressor"], name)
    _check_ends(node, 1, name)
    _linear(node, parts, given, int(given["targets"]), str(node.output[0]), name)


def _classifier(node: onnx.NodeProto, parts: _Parts, name: str) -> None:
    """Scores x W^T + b, transformed, and the class of the largest."""
    given = checked(node, ATTRIBUTES["LinearClassifier"], name)
    _check_ends(node, 2, name)
    labels = given["classlabels_ints"] or given["classlabels_strings"]
    count = len(given["intercepts"]) or len(labels)
    if count != len(labels) or count < 2:
        raise InputError(
            f"{name}: has {count} rows of coefficients for {len(labels)} classes; export it with one row for each"
        )
    base = str(node.output[0] or node.output[1])
    scores = str(node.output[1]) if len(node.output) > 1 and node.output[1] else f"{base}_scores"
    _linear(node, parts, given, count, f"{base}_logits", name)
    parts.add(_FINAL[given["post_transform"]], [f"{base}_logits"], scores, node.name)
    if not node.output[0]:
        return
    winner, kept = f"{base}_winner", f"{base}_labels"
    parts.add("ArgMax", [scores], winner, node.name, axis=1, keepdims=0)
    if given["classlabels_ints"]:
        parts.constant(kept, labels, np.int64)
    else:
        strings = helper.make_tensor(kept, TensorProto.STRING, [count], [str(each).encode() for each in labels])
        parts.weights.append(strings)
    parts.add("ArrayFeatureExtractor", [kept, winner], base, node.name, domain=_DOMAIN)


def _linear(node: onnx.NodeProto, parts: _Parts, given: dict[str, Any], rows: int, result: str, name: str) -> None:
    coefficients = np.asarray(given["coefficients"], np.float32)
    if rows < 1 or coefficients.size < 1 or coefficients.size % rows:
        raise InputError(f"{name}: has {coefficients.size} coefficients for {rows} outputs; export the network again")
    intercepts = given["intercepts"] or (0.0,) * rows
    if len(intercepts) != rows:
        raise InputError(f"{name}: has {len(intercepts)} intercepts for {rows} outputs; export the network again")
    weight = parts.constant(f"{result}_coefficients", coefficients.reshape(rows, -1))
    bias = parts.constant(f"{result}_intercepts", intercepts)
    parts.add("Gemm", [str(node.input[0]), weight, bias], result, node.name, transB=1)


def _check_ends(node: onnx.NodeProto, outputs: int, name: str) -> None:
    if len(node.input) != 1 or not node.input[0] or not 1 <= len(node.output) <= outputs or not any(node.output):
        raise InputError(f"{name}: has {len(node.input)} inputs and {len(node.output)} outputs; export it again")


_REWRITES = {"Scaler": _scaler, "LinearRegressor": _regressor, "LinearClassifier": _classifier}
