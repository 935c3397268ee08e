"""Types of what a NIR graph built in Python holds: nodes of nir, and parameters that are numbers."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np

from spikeport.common.errors import InputError

# what nir keeps of a node that is no parameter
_OTHER = frozenset({"metadata", "input_type", "output_type", "nodes", "edges"})


def check_value_types(graph: nir.NIRGraph, context: str = "graph") -> None:
    """Raise InputError that names the first node or parameter of a type that NIR does not have.

    A torch tensor is refused: it may need gradients or be on a GPU, and nir cannot write it.
    """
    for name, node in graph.nodes.items():
        if not isinstance(node, nir.NIRNode):
            raise InputError(f"{context}: node {name!r} is a value of type {type(node).__name__}; give a node of nir")
        if isinstance(node, nir.NIRGraph):
            check_value_types(node, f"{context}: subgraph {name!r}")
            continue
        for field, value in vars(node).items():
            if field not in _OTHER:
                _check(value, f"{context}: node {name!r}, {field}")
    for edge in graph.edges:
        if not isinstance(edge, (tuple, list)) or len(edge) != 2:
            raise InputError(f"{context}: edge {edge!r} is not a pair of node names (source, target)")


def _check(value: Any, context: str) -> None:
    if hasattr(value, "detach"):
        raise InputError(
            f"{context} is a torch {type(value).__name__}, but NIR holds numpy arrays; use .detach().numpy()"
        )
    if isinstance(value, complex) or (isinstance(value, np.ndarray) and value.dtype.kind not in "biufUSTO"):
        kind = value.dtype if isinstance(value, np.ndarray) else type(value).__name__
        raise InputError(f"{context} is of type {kind}; give real numbers")
