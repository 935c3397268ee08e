"""Gradient norm per layer, and its growth or decay from the last layer to the first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from spikeport.trainer.network.spiking_network import SpikingNetwork

Loss = Callable[[SpikingNetwork, Tensor, Tensor], Tensor]


def gradient_norms(network: SpikingNetwork, loss: Loss, x: Tensor, y: Tensor) -> dict[str, float]:
    """Norm of dL/ds for every layer's spikes (T, B, *shape), by name, first layer first; leaves the network unchanged.

    s are the layer's own spikes, before a join adds others to them.
    """
    trains: dict[str, Tensor] = {}

    def record(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda _, __, output: trains.__setitem__(name, output)

    # batch norm's running statistics and the parameters' gradients must not change
    state = {name: value.clone() for name, value in network.state_dict().items()}
    handles = [block.register_forward_hook(record(name)) for name, block in network.spiking_blocks()]
    try:
        value = loss(network, x, y)
        gradients = torch.autograd.grad(value, list(trains.values()), allow_unused=True)
    finally:
        for handle in handles:
            handle.remove()
        network.load_state_dict(state)
    return {
        name: 0.0 if gradient is None else float(gradient.norm())
        for name, gradient in zip(trains, gradients, strict=True)
    }


def gradient_growth_per_layer(norms: dict[str, float]) -> float:
    """Change of the norm's logarithm per layer towards the first layer, fitted over the layers with a gradient.

    0: the same everywhere; above 0: it explodes towards the first layer; below: it vanishes. Layers without a gradient
    (before a batch norm of weight 0) are left out; -inf if fewer than two have one or the first has none.
    """
    values = np.array(list(norms.values()))
    back = np.arange(len(values))[::-1]
    nonzero = values > 0
    if len(values) < 2:
        return 0.0
    if not nonzero[0] or nonzero.sum() < 2:
        return float("-inf")
    return float(np.polyfit(back[nonzero], np.log(values[nonzero]), 1)[0])
