"""How large the gradient is, layer by layer, and how it grows or shrinks on its way back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from spikeport.trainer.network.spiking_network import SpikingNetwork

Loss = Callable[[SpikingNetwork, Tensor, Tensor], Tensor]


def gradient_norms(network: SpikingNetwork, loss: Loss, x: Tensor, y: Tensor) -> dict[str, float]:
    """Norm of dL/ds of every layer's spikes (T, B, *shape), by name, first layer first; the network stays as it is.

    A layer's spikes are taken as it gives them: what a join adds to them reaches the layers behind, not this norm.
    """
    trains: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda _, __, output: trains.__setitem__(name, output)

    # batch norm's running statistics and the parameters' gradients must not change
    state = {name: value.clone() for name, value in network.state_dict().items()}
    handles = [block.register_forward_hook(keep(name)) for name, block in network.spiking_blocks()]
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


def growth(norms: dict[str, float]) -> float:
    """By how much the logarithm of the norm changes a layer on the way back, fitted over the layers that have one.

    0: as large everywhere; above 0: it explodes towards the first layer; below: it vanishes. Layers without a gradient
    (behind a batch norm of weight 0) are left out; -inf where fewer than two have one or the first has none.
    """
    values = np.array(list(norms.values()))
    back = np.arange(len(values))[::-1]
    given = values > 0
    if len(values) < 2:
        return 0.0
    if not given[0] or given.sum() < 2:
        return float("-inf")
    return float(np.polyfit(back[given], np.log(values[given]), 1)[0])
