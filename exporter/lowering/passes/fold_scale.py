"""Pass: Scale nodes become part of the synapse after or before them.

    W (s x) + b  = (W diag(s)) x + b        Scale before a synapse
    s (W x + b)  = (diag(s) W) x + s b      Scale behind one

A convolution absorbs a scale that is uniform within each channel. Between two neurons, or an input and a neuron, a
Scale becomes a synapse of its own: a depthwise 1x1 convolution, or a diagonal matrix. Other Scales stay.
"""

from __future__ import annotations

from dataclasses import replace

import nir
import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.nir_graph.graph_checks import NEURONS, shape_of

from .rewrite import Rewrite
from .unit_synapse import elementwise

Floats = NDArray[np.float64]


def fold_scale(graph: nir.NIRGraph) -> nir.NIRGraph:
    """The graph without the Scale nodes that a synapse can absorb or replace."""
    rewrite = Rewrite(graph)
    for name, node in graph.nodes.items():
        if isinstance(node, nir.Scale):
            _join_scales(rewrite, name)
    for name in graph.nodes:
        scale = rewrite.nodes.get(name)
        if isinstance(scale, nir.Scale):
            values = np.asarray(scale.scale, np.float64)
            rewrite.fold_forward(name, lambda synapse, s=values: _before(synapse, s))  # type: ignore[misc]
            if name in rewrite.nodes and rewrite.before(name):
                rewrite.fold_backward(name, lambda synapse, s=values: _behind(synapse, s))  # type: ignore[misc]
            if name in rewrite.nodes:
                _replace_by_synapse(rewrite, name, values)
    return rewrite.graph()


def _join_scales(rewrite: Rewrite, name: str) -> None:
    """Absorb Scale nodes that only this one feeds: one Scale with the product of the two."""
    while True:
        after = rewrite.after(name)
        behind = rewrite.nodes.get(after[0]) if len(after) == 1 else None
        if name not in rewrite.nodes or not isinstance(behind, nir.Scale) or rewrite.before(after[0]) != [name]:
            return
        first, second = np.asarray(rewrite.nodes[name].scale), np.asarray(behind.scale)
        if first.size != second.size and 1 not in (first.size, second.size):
            return
        larger = first if first.size >= second.size else second
        product = (first.reshape(-1) * second.reshape(-1)).reshape(larger.shape)
        rewrite.nodes[name] = nir.Scale(scale=product)
        successors = rewrite.after(after[0])
        rewrite.edges = [edge for edge in rewrite.edges if after[0] not in edge]
        rewrite.edges += [(name, successor) for successor in successors]
        del rewrite.nodes[after[0]]


def _before(synapse: nir.NIRNode, scale: Floats) -> nir.NIRNode | None:
    """The synapse that reads x where the given one reads scale * x."""
    weight = np.asarray(synapse.weight, np.float64)
    if isinstance(synapse, nir.Conv2d):
        channels = _per_channel(scale, weight.shape[1] * synapse.groups)
        if channels is None or len(weight) % synapse.groups:
            return None
        # output channel o reads the input channels of its group
        rows = channels.reshape(synapse.groups, -1).repeat(len(weight) // synapse.groups, axis=0)
        return _with(synapse, weight=weight * rows[:, :, None, None])
    if weight.ndim != 2 or scale.size not in (1, weight.shape[1]):
        return None
    return _with(synapse, weight=weight * scale.reshape(1, -1))


def _behind(synapse: nir.NIRNode, scale: Floats) -> nir.NIRNode | None:
    """The synapse that outputs scale * y where the given one outputs y."""
    weight = np.asarray(synapse.weight, np.float64)
    if isinstance(synapse, nir.Conv2d):
        channels = _per_channel(scale, len(weight))
        if channels is None:
            return None
        return _with(synapse, weight=weight * channels[:, None, None, None], bias=synapse.bias * channels)
    if weight.ndim != 2 or scale.size not in (1, len(weight)):
        return None
    changed = weight * scale.reshape(-1, 1)
    if isinstance(synapse, nir.Linear):
        return _with(synapse, weight=changed)
    return _with(synapse, weight=changed, bias=np.asarray(synapse.bias).reshape(-1) * scale.reshape(-1))


def _with(synapse: nir.NIRNode, **fields: Floats) -> nir.NIRNode:
    changed: nir.NIRNode = replace(synapse, **fields)
    return changed


def _per_channel(scale: Floats, channels: int) -> Floats | None:
    """One factor per channel, or None if channels are not uniform."""
    if scale.size == 1:
        return np.full(channels, scale.item())
    if scale.ndim != 3 or len(scale) != channels or np.any(scale != scale[:, :1, :1]):
        return None
    values: Floats = scale[:, 0, 0]
    return values


def _replace_by_synapse(rewrite: Rewrite, name: str, scale: Floats) -> None:
    """Replace a Scale between inputs or neurons and neurons by a synapse."""
    sources = [rewrite.nodes[source] for source in rewrite.before(name)]
    targets = [rewrite.nodes[target] for target in rewrite.after(name)]
    spiking = all(isinstance(s, (nir.Input, *NEURONS)) for s in sources)
    if sources and targets and spiking and all(isinstance(t, NEURONS) for t in targets):
        shapes = {shape_of(node) for node in (*sources, *targets)}
        size = int(np.prod(shape_of(targets[0])))
        if {int(np.prod(shape)) for shape in shapes} == {size} and scale.size in (1, size):
            rewrite.nodes[name] = elementwise(scale, shapes)
