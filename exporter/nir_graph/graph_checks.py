"""Queries on NIR graphs, and the checks before lowering."""

from __future__ import annotations

from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError, nearest
from spikeport.common.whole_numbers import whole_numbers
from spikeport.hardware_profiles.fixed_point import WordWidths

SPIKING: tuple[type[nir.NIRNode], ...] = (nir.IF, nir.LIF, nir.CubaLIF, nir.Threshold)
FILTERED: tuple[type[nir.NIRNode], ...] = (nir.CubaLIF, nir.CubaLI)
NEURONS: tuple[type[nir.NIRNode], ...] = (*SPIKING, nir.I, nir.LI, nir.CubaLI)
SYNAPSES: tuple[type[nir.NIRNode], ...] = (nir.Affine, nir.Linear, nir.Conv2d)
POOLS: tuple[type[nir.NIRNode], ...] = (nir.SumPool2d, nir.AvgPool2d)
# nodes that pass their input on; releases of nir up to 1.0.8 have no Identity
WIRES: tuple[type[nir.NIRNode], ...] = (nir.Flatten, *((nir.Identity,) if hasattr(nir, "Identity") else ()))
REGISTERS = "registers_"
_KNOWN = (*NEURONS, *SYNAPSES, *POOLS, *WIRES, nir.Input, nir.Output, nir.Conv1d, nir.Scale, nir.Delay)


def predecessors(graph: nir.NIRGraph, name: str) -> list[str]:
    """Nodes with an edge to `name`, in the order of the edges."""
    return [source for source, target in graph.edges if target == name]


def shape_of(node: nir.NIRNode) -> tuple[int, ...]:
    """Output shape of a node."""
    return tuple(int(n) for n in np.asarray(node.output_type["output"]).reshape(-1))


def initial_voltage(node: nir.NIRNode) -> NDArray[np.float64]:
    """A neuron's voltage before the first step: metadata "v_initial", else 0."""
    return np.asarray(node.metadata.get("v_initial", 0.0), np.float64)


def trained_threshold(node: nir.NIRNode) -> int | None:
    """The chip's word for a population's largest threshold as used in training: valid metadata "vth", else None.

    It is a hint: if a number is not an integer at that scale, it is ignored (exporter/quantisation/scale.py).
    """
    return _count(node, "vth")


def trained_bits(node: nir.NIRNode) -> int | None:
    """Bits of the weights that a population reads, if it has fewer than others: metadata "weight_bits", else None."""
    bits = _count(node, "weight_bits")
    return bits if bits is not None and 2 <= bits <= WordWidths().weight_bits else None


def trained_scale(node: nir.NIRNode) -> float | None:
    """The chip's units of v for one of the network's, as used in training: valid metadata "scale", else None.

    It is a hint, as trained_threshold is.
    """
    value = np.asarray(node.metadata.get("scale", 0.0))
    valid = value.dtype.kind == "f" and value.size == 1 and np.isfinite(value) and value > 0
    return float(value) if valid else None


def trained_shift(node: nir.NIRNode) -> int | None:
    """Bits by which a voltage is shifted right before it is sent, as used in training: valid metadata "shift", or None.

    Used where trained_scale is.
    """
    value = np.asarray(node.metadata.get("shift", -1))
    valid = value.dtype.kind in "iu" and value.size == 1 and 0 <= value < WordWidths().state_bits
    return int(value) if valid else None


def trained_registers(node: nir.NIRNode) -> dict[str, NDArray[Any]]:
    """What training in a chip's own integers chose for a population, by name: finite metadata "registers_NAME".

    They are hints for the family of integers that wrote them.
    """
    found = {
        key.removeprefix(REGISTERS): np.asarray(v) for key, v in node.metadata.items() if key.startswith(REGISTERS)
    }
    return {name: v for name, v in found.items() if v.dtype.kind in "iuf" and np.isfinite(v).all()}


def largest_payload(node: nir.NIRNode) -> int:
    """The largest integer at an Input: metadata "payload", else a spike's 1."""
    return _count(node, "payload") or 1


def _count(node: nir.NIRNode, key: str) -> int | None:
    value = np.asarray(node.metadata.get(key, 0))
    return int(value) if value.dtype.kind in "iu" and value.size == 1 and value > 0 else None


def bias_of(synapse: nir.NIRNode, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A synapse node's bias, one value per element of its output; a convolution stores one per channel.

    Raises ValueError if the bias has another size.
    """
    size = int(np.prod(shape))
    bias = np.asarray(getattr(synapse, "bias", 0.0), np.float64).reshape(-1)
    expected = len(synapse.weight) if np.ndim(synapse.weight) > 2 else size
    if bias.size != expected and not isinstance(synapse, nir.Linear):
        raise ValueError(f"has a bias of shape {np.shape(synapse.bias)}, but {expected} values are needed")
    bias_per_element: NDArray[np.float64] = np.repeat(bias, size // bias.size)
    return bias_per_element


def pair(value: object) -> tuple[int, int]:
    """Two whole numbers (height, width) from one or two."""
    numbers = np.broadcast_to(whole_numbers(value, "a stride, padding or size").reshape(-1), (2,))
    return int(numbers[0]), int(numbers[1])


def check_known(graph: nir.NIRGraph, context: str) -> None:
    """Raises InputError for a node that cannot be compiled, naming it and the types that can."""
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            check_known(node, f"{context}: subgraph {name!r}")
        elif not isinstance(node, _KNOWN):
            known = ", ".join(cls.__name__ for cls in _KNOWN)
            raise InputError(
                f"{context}: node {name!r} is a {type(node).__name__}, which is not compiled yet; known are {known}"
            )


def check_edges(graph: nir.NIRGraph, context: str) -> None:
    """Raises InputError for an edge that names a missing node, with the nearest name."""
    for source, target in graph.edges:
        for name in (source, target):
            if name not in graph.nodes:
                hint = nearest(name, graph.nodes)
                raise InputError(
                    f"{context}: the edge {source} -> {target} names node {name!r}, which is not in the graph{hint}"
                )
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            check_edges(node, f"{context}: subgraph {name!r}")


def check_reached(graph: nir.NIRGraph) -> None:
    """Raises InputError for a graph without a result: an Output without input, a cycle without a neuron."""
    for source, target in graph.edges:
        if isinstance(graph.nodes[source], nir.Output) or isinstance(graph.nodes[target], nir.Input):
            raise InputError(f"the edge {source} -> {target} leaves an Output or enters an Input; remove it")
    _check_cycles(graph)
    for output in [name for name, node in graph.nodes.items() if isinstance(node, nir.Output)]:
        seen, waiting = {output}, [output]
        while waiting:
            new = [source for source in predecessors(graph, waiting.pop()) if source not in seen]
            seen |= set(new)
            waiting += new
        if len(seen) > 1 and not any(isinstance(graph.nodes[name], nir.Input) for name in seen):
            loose = next((name for name in seen if not predecessors(graph, name)), output)
            raise InputError(f"nothing leads to node {loose!r}; add an edge from an input or a neuron")


def _check_cycles(graph: nir.NIRGraph) -> None:
    """Raises InputError for a cycle without a neuron: nothing in it takes a time step, so it has no meaning."""
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
        raise InputError(f"nodes {names} form a cycle without a neuron; put a neuron into it or remove an edge")
