"""Pass: a graph that stands as a node in another is put in its place, because the chip knows no nesting.

Node N of subgraph S is called S.N; the subgraph's Input and Output nodes vanish, and what led to or from S leads to or
from what they were joined to.
"""

from __future__ import annotations

import nir

from .rewrite import Rewrite


def inline_subgraphs(graph: nir.NIRGraph) -> nir.NIRGraph:
    """The graph without nested graphs; one with several inputs or outputs stays: edges do not say which they mean."""
    rewrite = Rewrite(graph)
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            inner = Rewrite(inline_subgraphs(node))
            ports = [[n for n, x in inner.nodes.items() if isinstance(x, kind)] for kind in (nir.Input, nir.Output)]
            if [len(names) for names in ports] == [1, 1]:
                _inline(rewrite, name, inner, ports[0][0], ports[1][0])
    return rewrite.graph()


def _inline(rewrite: Rewrite, name: str, inner: Rewrite, entry: str, leave: str) -> None:
    before, after = rewrite.before(name), rewrite.after(name)
    itself = name in before
    del rewrite.nodes[name]
    rewrite.edges = [edge for edge in rewrite.edges if name not in edge]
    names = {n: rewrite.add(f"{name}.{n}", node) for n, node in inner.nodes.items() if n not in (entry, leave)}
    sources = [names[n] for n in inner.before(leave) if n != entry]
    targets = [names[n] for n in inner.after(entry) if n != leave]
    before, after = [n for n in before if n != name], [n for n in after if n != name]
    if (entry, leave) in inner.edges:
        # a way straight through
        rewrite.edges += [(source, target) for source in before for target in after]
    rewrite.edges += [(names[s], names[t]) for s, t in inner.edges if s in names and t in names]
    rewrite.edges += [(source, target) for source in before for target in targets]
    rewrite.edges += [(source, target) for source in sources for target in after]
    if itself:
        rewrite.edges += [(source, target) for source in sources for target in targets]
