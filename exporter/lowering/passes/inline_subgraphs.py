"""Pass: graphs nested as nodes are inlined, because the chip knows no nesting.

Node N of subgraph S becomes S.N; the subgraph's Input and Output nodes vanish, and edges to or from S lead to or from
their neighbours. NIR's edges name nodes, not ports: if a subgraph has several inputs (or outputs), the edges into it
(out of it) belong to them in order, so there must be one edge for each.
"""

from __future__ import annotations

import nir

from spikeport.common.errors import InputError

from .rewrite import Rewrite


def inline_subgraphs(graph: nir.NIRGraph) -> nir.NIRGraph:
    """The graph without nested graphs; raises InputError if the input or output that an edge means is unclear."""
    rewrite = Rewrite(graph)
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            _inline(rewrite, name, Rewrite(inline_subgraphs(node)))
    return rewrite.graph()


def _inline(rewrite: Rewrite, name: str, inner: Rewrite) -> None:
    entries, leaves = ([n for n, x in inner.nodes.items() if isinstance(x, kind)] for kind in (nir.Input, nir.Output))
    edges_in = _ports(name, "input", entries, rewrite.before(name))
    edges_out = _ports(name, "output", leaves, rewrite.after(name))
    rewrite.remove(name)
    names = {n: rewrite.add(f"{name}.{n}", node) for n, node in inner.nodes.items() if n not in (*entries, *leaves)}
    # outer nodes as seen from inside: sources before an Input, targets after an Output
    sources = {entry: [source for source, port in edges_in if port == entry] for entry in entries}
    targets = {leave: [target for target, port in edges_out if port == leave] for leave in leaves}
    back = [
        (leave, entry) for target, leave in edges_out if target == name for source, entry in edges_in if source == name
    ]

    def before(node: str, seen: tuple[str, ...] = ()) -> list[str]:
        """The outer names of an inner source node."""
        if node in names:
            return [names[node]]
        outer = [source for source in sources[node] if source != name]
        for leave, entry in back:
            if entry == node and leave not in seen:
                outer += [n for inside in inner.before(leave) for n in before(inside, (*seen, leave))]
        return outer

    for source, target in inner.edges:
        if target in names:
            rewrite.edges += [(outer, names[target]) for outer in before(source)]
        else:
            outside = [n for n in targets[target] if n != name]
            rewrite.edges += [(outer, n) for outer in before(source) for n in outside]


def _ports(name: str, kind: str, ports: list[str], others: list[str]) -> list[tuple[str, str]]:
    """Which port each edge to or from a subgraph means."""
    if len(ports) == 1:
        return [(other, ports[0]) for other in others]
    if len(ports) != len(others):
        direction = "to" if kind == "input" else "from"
        raise InputError(
            f"subgraph {name!r} has {len(ports)} {kind}s, but {len(others)} edges lead {direction} it; "
            "give it one edge for each, in their order"
        )
    return list(zip(others, ports, strict=True))
