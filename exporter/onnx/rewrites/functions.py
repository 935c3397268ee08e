"""Functions that a model defines, as PyTorch's dynamo exporter writes them, replaced by their nodes."""

from __future__ import annotations

from functools import cache

import onnx
from onnx import inliner

from spikeport.common.errors import InputError

# a file whose functions call each other may hold any number of nodes in a few bytes
_MOST_NODES = 100_000


def without_functions(model: onnx.ModelProto, context: str) -> onnx.ModelProto:
    """The model with every call of its own functions replaced by onnx's inliner; raises InputError."""
    if not model.functions:
        return model
    if any(function.domain in ("", "ai.onnx") for function in model.functions):
        raise InputError(f"{context}: redefines operators of ONNX; export it with only ONNX's own operators")
    functions = {(f.domain, f.name, getattr(f, "overload", "")): f for f in model.functions}

    @cache
    def size(key: tuple[str, str, str]) -> int:
        if key not in functions:
            return 1
        # onnx's checker has refused functions that call themselves
        return min(sum(size(_key(node)) for node in functions[key].node), _MOST_NODES + 1)

    try:
        nodes = sum(size(_key(node)) for node in model.graph.node)
    except RecursionError:
        raise InputError(f"{context}: its functions call each other too deeply; export it without functions") from None
    if nodes > _MOST_NODES:
        raise InputError(f"{context}: its functions stand for more than {_MOST_NODES:,} nodes; use a smaller network")
    return inliner.inline_local_functions(model)


def _key(node: onnx.NodeProto) -> tuple[str, str, str]:
    return node.domain, node.op_type, getattr(node, "overload", "")
