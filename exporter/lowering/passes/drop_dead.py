"""Pass: remove nodes that change nothing: those that lead to no Output, and those that send nothing.

A neuron sends nothing if nothing leads to it and neither its start nor its leak is above its threshold; a node without
memory, if nothing leads to it and it has no bias. Inputs stay, as ports; what feeds an Output also stays.
"""

from __future__ import annotations

import nir
import numpy as np

from spikeport.exporter.nir_graph.graph_checks import NEURONS, SPIKING, initial_voltage

from .rewrite import Rewrite

# names in a message
_NAMED = 8


def drop_dead(graph: nir.NIRGraph) -> nir.NIRGraph:
    """The graph without its dead nodes."""
    rewrite = Rewrite(graph)
    outputs = {name for name, node in graph.nodes.items() if isinstance(node, nir.Output)}
    useful = _leading_to(outputs, rewrite)
    for name, node in graph.nodes.items():
        if name not in useful and not isinstance(node, nir.Input):
            rewrite.remove(name)
    while True:
        silent = [
            name
            for name, node in rewrite.nodes.items()
            if _sends_nothing(node) and not rewrite.before(name) and not outputs & {name, *rewrite.after(name)}
        ]
        if not silent:
            return rewrite.graph()
        for name in silent:
            rewrite.remove(name)


def left_out(before: nir.NIRGraph, after: nir.NIRGraph) -> tuple[str, ...]:
    """A sentence for the nodes that the pass removed, and for inputs and outputs that nothing connects."""
    removed = [name for name in before.nodes if name not in after.nodes]
    useful = _leading_to({name for name, node in after.nodes.items() if isinstance(node, nir.Output)}, Rewrite(after))
    fed = {target for _, target in after.edges}
    sentences = []
    if removed:
        names = ", ".join(map(repr, removed[:_NAMED])) + (
            f" and {len(removed) - _NAMED} more" * (len(removed) > _NAMED)
        )
        sentences.append(f"left out, because they send nothing or lead to no output: {names}; add the edges they lack")
    for name, node in after.nodes.items():
        if isinstance(node, nir.Input) and name not in useful:
            sentences.append(f"input {name!r} leads to no output: what enters there changes nothing")
        if isinstance(node, nir.Output) and name not in fed:
            sentences.append(f"output {name!r} is left out: nothing leads to it")
    return tuple(sentences)


def _leading_to(outputs: set[str], rewrite: Rewrite) -> set[str]:
    """Nodes that lead to an output."""
    reached, waiting = set(outputs), list(outputs)
    while waiting:
        for source in rewrite.before(waiting.pop()):
            if source not in reached:
                reached.add(source)
                waiting.append(source)
    return reached


def _sends_nothing(node: nir.NIRNode) -> bool:
    """Whether a node without input outputs zeros forever."""
    if isinstance(node, nir.Input):
        return False
    if not isinstance(node, NEURONS):
        return not np.any(getattr(node, "bias", 0.0))
    start, leak = initial_voltage(node), np.asarray(getattr(node, "v_leak", 0.0))
    if not isinstance(node, SPIKING):
        return not np.any(start) and not np.any(leak)
    threshold = node.threshold if isinstance(node, nir.Threshold) else node.v_threshold
    return bool(np.all(np.maximum(start, leak) <= threshold) and np.all(np.asarray(threshold) >= 0))
