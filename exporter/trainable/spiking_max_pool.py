"""Max pooling of spikes as neurons: the maximum of spikes is 1 where any of them is.

    max(s_1, ..., s_n) = 1  if  s_1 + ... + s_n > 1/2,  for spikes of 0 and 1

So it is a sum over the window and a threshold without memory: one population more on the chip, exact, and one time
step later. Of currents there is no such form. NIR has no max pooling, and exporters leave it out or stop; so they are
given average pooling of the same windows, which is exchanged in the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import nir
import numpy as np
from torch import nn

from spikeport.common.errors import InputError
from spikeport.exporter.from_torch import ANY_SPIKE
from spikeport.exporter.nir_graph.graph_checks import SPIKING, pair

# they pass on what they get
_TRANSPARENT = (nn.Dropout, nn.Dropout2d, nn.Identity)


def averaged_max_pools(network: nn.Module, average: Callable[..., nn.Module] = nn.AvgPool2d) -> dict[str, nn.MaxPool2d]:
    """Put average pooling in place of every MaxPool2d; returns these by name.

    average: of a window, stride and (where it is not 0) padding, a layer that the exporter reads. Raises InputError for
    a MaxPool2d that is no sum.
    """
    pools = {name: module for name, module in network.named_modules() if isinstance(module, nn.MaxPool2d)}
    for name, pool in pools.items():
        if pair(pool.dilation) != (1, 1) or pool.ceil_mode or pool.return_indices:
            raise InputError(
                f"layer {name!r} (MaxPool2d) has a dilation, ceil_mode or return_indices, which a sum over a window "
                "has not; leave these out"
            )
        parent, _, last = name.rpartition(".")
        padding = {} if pair(pool.padding) == (0, 0) else {"padding": pool.padding}
        network.get_submodule(parent).add_module(last, average(pool.kernel_size, pool.stride, **padding))
    return pools


def with_spiking_max_pools(
    graph: nir.NIRGraph, pools: Mapping[str, nn.MaxPool2d], module_of: Callable[[str], nn.Module | None]
) -> nir.NIRGraph:
    """The graph with a sum and a threshold in place of these average poolings; pools: what they stand for, by node.

    module_of: a node's module. Raises InputError for a pooling of anything but spikes.
    """
    nodes, edges = dict(graph.nodes), list(graph.edges)
    for name, pool in pools.items():
        if not _gets_spikes(graph, name, pools, module_of):
            raise InputError(
                f"layer {name!r} (MaxPool2d) takes the maximum of currents, which a chip cannot; put it behind "
                "neurons, as the maximum of spikes is one population more, or use average pooling"
            )
        summed = f"{name}_sum"
        # some exporters leave out the padding of an average
        sizes = (np.array(pair(value)) for value in (pool.kernel_size, pool.stride, pool.padding))
        nodes[summed] = nir.SumPool2d(*sizes)
        nodes[name] = nir.Threshold(np.array([ANY_SPIKE]))
        edges = [(source, summed if target == name else target) for source, target in edges] + [(summed, name)]
    found = nir.NIRGraph(nodes={}, edges=edges, metadata=dict(graph.metadata), type_check=False)
    # what an exporter has left empty is no NIRNode
    found.nodes = nodes
    return found


def _gets_spikes(
    graph: nir.NIRGraph, name: str, pools: Mapping[str, nn.MaxPool2d], module_of: Callable[[str], nn.Module | None]
) -> bool:
    """Whether all that a node gets is sent by spiking neurons."""
    sources = [source for source, target in graph.edges if target == name]
    return bool(sources) and all(
        isinstance(graph.nodes[source], SPIKING)
        or (
            (source in pools or isinstance(module_of(source), _TRANSPARENT))
            and _gets_spikes(graph, source, pools, module_of)
        )
        for source in sources
    )
