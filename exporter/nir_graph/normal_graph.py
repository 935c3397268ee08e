"""A graph, or a file's content, with the fields of every node in their normal form (node_fields.py)."""

from __future__ import annotations

import copy
from dataclasses import fields
from typing import Any

import nir
import numpy as np

from .node_fields import Fields, check_fields, checked_shape, constant_names, normal_fields


def normal_graph(graph: nir.NIRGraph, context: str) -> nir.NIRGraph:
    """A copy with normal nodes, subgraphs included; raises InputError that names the node and the field."""
    nodes = {
        name: normal_graph(node, f"{context}: subgraph {name!r}")
        if isinstance(node, nir.NIRGraph)
        else _normal_node(node, f"{context}: node {name!r}")
        for name, node in graph.nodes.items()
    }
    return nir.NIRGraph(nodes, list(graph.edges), metadata=dict(graph.metadata), type_check=False)


def normal_content(content: Fields, context: str) -> Fields:
    """The same for a file's content, which nir can then build; raises InputError also for what nir does not know."""
    nodes: dict[str, Any] = {}
    for name, node in content["nodes"].items():
        subject = f"{context}: node {name!r}"
        kind = str(node.get("type") if isinstance(node, dict) else type(node).__name__)
        check_fields(kind, node, subject)
        nodes[name] = (
            normal_content(node, f"{context}: subgraph {name!r}")
            if kind == "NIRGraph"
            else normal_fields(kind, node, subject)
        )
    return {**content, "nodes": nodes}


def _normal_node(node: nir.NIRNode, subject: str) -> nir.NIRNode:
    changed, kind = copy.copy(node), type(node).__name__
    if isinstance(node, (nir.Input, nir.Output)):
        shape = checked_shape(node.output_type["output"], f"{subject}, shape")
        changed.input_type, changed.output_type = {"input": shape}, {"output": shape}
        return changed
    given = {item.name: getattr(node, item.name) for item in fields(node) if hasattr(node, item.name)}
    for name, value in normal_fields(kind, given, subject).items():
        setattr(changed, name, value)
    constants = constant_names(kind)
    if constants:
        shape = np.array(getattr(changed, constants[0]).shape)
        changed.input_type, changed.output_type = {"input": shape}, {"output": shape}
    return changed
