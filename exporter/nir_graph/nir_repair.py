"""Repair the content of a NIR file, as dictionaries, so that nir can build the graph from it."""

from __future__ import annotations

import copy
from typing import Any

import nir

Content = dict[str, Any]


def rename_dangling(content: Content, context: str = "the graph") -> list[str]:
    """If edges name exactly one missing node and exactly one node has no edges, rename it in the edges, in place.

    Returns a sentence for each, including subgraphs. Anything less clear stays, to be rejected.
    """
    sentences = []
    nodes: Content = content.get("nodes", {})
    edges = [
        tuple(name.decode() if isinstance(name, bytes) else str(name) for name in edge) for edge in content["edges"]
    ]
    named = {name for edge in edges for name in edge}
    missing, loose = sorted(named - set(nodes)), sorted(set(nodes) - named)
    if len(missing) == len(loose) == 1:
        edges = [tuple(loose[0] if name == missing[0] else name for name in edge) for edge in edges]
        sentences.append(
            f"edges of {context} name node {missing[0]!r}, which does not exist; node {loose[0]!r} has no edges and is "
            "used instead"
        )
    content["edges"] = edges
    for name, node in nodes.items():
        if node.get("type") == "NIRGraph":
            sentences += rename_dangling(node, f"subgraph {name!r}")
    return sentences


def drop_additions(typed: nir.NIRGraph, file: nir.NIRGraph) -> list[str]:
    """Remove, in place, the Input and Output nodes that nir adds to loose ends, if the file has its own.

    Returns a sentence for each that stays.
    """
    sentences = []
    for kind, word in ((nir.Input, "Input"), (nir.Output, "Output")):
        added = [name for name, node in typed.nodes.items() if isinstance(node, kind) and name not in file.nodes]
        if any(isinstance(node, kind) for node in file.nodes.values()):
            for name in added:
                del typed.nodes[name]
            typed.edges = [edge for edge in typed.edges if not set(edge) & set(added)]
        else:
            sentences += [f"has no {word} node; nir adds {name!r} at the loose end" for name in added]
    return sentences


def untyped(content: Content) -> Content:
    """A copy from which nir builds the graph, subgraphs included, without its check of types."""
    changed = {key: value if key in ("nodes", "edges") else copy.deepcopy(value) for key, value in content.items()}
    changed["type_check"] = False
    changed["nodes"] = {
        name: untyped(node) if node.get("type") == "NIRGraph" else dict(node)
        for name, node in content.get("nodes", {}).items()
    }
    return changed
