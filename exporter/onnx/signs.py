"""Which signals of an ONNX graph cannot be negative."""

from __future__ import annotations

from collections.abc import Container

import onnx

_ONE_INPUT = frozenset(
    {
        "Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Dropout", "MaxPool", "GlobalMaxPool",
        "AveragePool", "GlobalAveragePool", "ReduceMean", "Resize", "Upsample",
    }
)  # fmt: skip
_ALL_INPUTS = frozenset({"Add", "Sum", "Concat"})


def stays_positive(node: onnx.NodeProto, positive: Container[str]) -> bool:
    """Whether a node's first output is 0 or more because its inputs are; `positive`: the tensors that are."""
    if node.op_type == "Relu":
        return True
    if node.op_type in _ONE_INPUT:
        return bool(node.input) and node.input[0] in positive
    return node.op_type in _ALL_INPUTS and all(name in positive for name in node.input)
