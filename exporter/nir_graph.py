"""Small questions about NIR graphs, and the check that comes before lowering."""

from __future__ import annotations

import nir
import numpy as np

from hardware_profiles.errors import InputError

NEURONS: tuple[type[nir.NIRNode], ...] = (nir.IF, nir.LIF, nir.CubaLIF)
SYNAPSES: tuple[type[nir.NIRNode], ...] = (nir.Affine, nir.Linear, nir.Conv2d)
POOLS: tuple[type[nir.NIRNode], ...] = (nir.SumPool2d, nir.AvgPool2d)
_KNOWN = (*NEURONS, *SYNAPSES, *POOLS, nir.Input, nir.Output, nir.Flatten, nir.Scale)


def predecessors(graph: nir.NIRGraph, name: str) -> list[str]:
    """Nodes with an edge to `name`, in the order of the edges."""
    return [source for source, target in graph.edges if target == name]


def shape_of(node: nir.NIRNode) -> tuple[int, ...]:
    """Shape of what a node puts out."""
    return tuple(int(n) for n in np.asarray(node.output_type["output"]).reshape(-1))


def pair(value: object) -> tuple[int, int]:
    """Two whole numbers (height, width) from one or two."""
    numbers = np.broadcast_to(np.asarray(value, dtype=np.int64).reshape(-1), (2,))
    return int(numbers[0]), int(numbers[1])


def check_known(graph: nir.NIRGraph, where: str) -> None:
    """Raises InputError for a node that cannot be compiled, naming it and what can."""
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            check_known(node, f"{where}: subgraph {name!r}")
            ports = [sum(isinstance(n, kind) for n in node.nodes.values()) for kind in (nir.Input, nir.Output)]
            if ports != [1, 1]:
                raise InputError(
                    f"{where}: subgraph {name!r} has {ports[0]} inputs and {ports[1]} outputs; give it one of each"
                )
        elif not isinstance(node, _KNOWN):
            known = ", ".join(cls.__name__ for cls in _KNOWN)
            raise InputError(
                f"{where}: node {name!r} is a {type(node).__name__}, which is not compiled yet; known are {known}"
            )


def check_cycles(graph: nir.NIRGraph, where: str) -> None:
    """Raises InputError for a cycle without a neuron: nothing in it waits, so it has no meaning in time steps."""
    stateless = {name for name, node in graph.nodes.items() if not isinstance(node, NEURONS)}
    waiting = {n: sum(t == n and s in stateless for s, t in graph.edges) for n in stateless}
    ready = [n for n in stateless if waiting[n] == 0]
    while ready:
        name = ready.pop()
        stateless.discard(name)
        for source, target in graph.edges:
            if source == name and target in waiting:
                waiting[target] -= 1
                if waiting[target] == 0 and target in stateless:
                    ready.append(target)
    if stateless:
        names = " -> ".join(sorted(stateless))
        raise InputError(
            f"{where}: nodes {names} form a cycle without a neuron or a delay; put a neuron into it or remove an edge"
        )
