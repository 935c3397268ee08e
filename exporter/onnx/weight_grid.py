"""Weights that are integers of 8 bits times one number, as in a quantised network, and thresholds that keep them so.

A layer's scale on the chip makes its threshold an integer. Its weights are integers at such a scale only if the
threshold is a multiple of their unit, which a threshold chosen from sample input is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from spikeport.exporter.quantisation.weight_units import largest_integer

from .relu_network import ReluNetwork


def aligned_thresholds(network: ReluNetwork, thresholds: Mapping[str, float], unit: float) -> dict[str, float]:
    """Thresholds moved to the nearest multiple of the unit of their layer's weights, where these have one.

    It changes what a spike represents, for which the next layer's weights account; so nothing is lost. unit: of the
    input.
    """
    aligned = dict(thresholds)
    # a network of float weights is walked once
    graph = network.to_nir(aligned, unit)
    for relu in network.relus:
        weights = _weights_before(graph, relu.node)
        integer = None if weights is None else largest_integer(weights)
        if weights is None or integer is None:
            continue
        step = float(np.abs(weights).max()) / integer
        multiple = max(1, round(min(aligned[relu.after], relu.ceiling) / step)) * step
        if multiple != aligned[relu.after]:
            aligned[relu.after] = multiple
            graph = network.to_nir(aligned, unit)
    return aligned


def _weights_before(graph: nir.NIRGraph, name: str) -> NDArray[Any] | None:
    """The weights of the only layer that leads to a neuron; None if there are several, or none."""
    sources = [graph.nodes[source] for source, target in graph.edges if target == name]
    if len(sources) != 1 or not isinstance(sources[0], (nir.Affine, nir.Conv2d)):
        return None
    weights: NDArray[Any] = np.asarray(sources[0].weight)
    return weights
