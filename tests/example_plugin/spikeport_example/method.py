"""A training method."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from spikeport.trainer.loop.gradient_checkpointing import count_spikes
from spikeport.trainer.methods.method import Method
from spikeport.trainer.network.spiking_network import SpikingNetwork


class MeanSquares(Method):
    """Mean squared error of firing rates: sum over k of (n_k / T - [k = y])^2."""

    name: ClassVar[str] = "example_mse"

    def loss(self, network: SpikingNetwork, x: Tensor, y: Tensor) -> Tensor:
        """The loss of input spikes (T, B, *input_shape) and labels (B,)."""
        rates = count_spikes(network, x)[network.geometry[-1].name] / len(x)
        return nn.functional.mse_loss(rates, nn.functional.one_hot(y, rates.shape[1]).to(rates.dtype))
