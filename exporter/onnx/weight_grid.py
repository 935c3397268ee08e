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

from .relu_network import ReluNetwork

# the largest integer of a weight
_LARGEST = 255
# relative error of numbers stored in 32 bit, and of their products
_FLOAT32_ERROR = 2e-6


def largest_integer(weights: NDArray[Any]) -> int | None:
    """The largest |integer| if all weights are integers of up to 8 bits times one number; None if they are not."""
    sizes = np.abs(np.asarray(weights, np.float64)).reshape(-1)
    largest = float(sizes.max(initial=0))
    if not largest > 0 or not np.isfinite(largest):
        return None
    # equal but for their rounding
    ratios = np.unique(np.rint(sizes / largest / _FLOAT32_ERROR)) * _FLOAT32_ERROR
    if len(ratios) > _LARGEST + 1:
        return None
    for integer in range(1, _LARGEST + 1):
        multiples = ratios * integer
        if np.abs(multiples - np.rint(multiples)).max() <= _FLOAT32_ERROR * integer:
            return integer
    return None


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
