"""Synapses applied to spikes: the convolution itself, whatever the memory order that it is computed in."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spikeport.trainer.network.fold_batch_norm import apply_synapse


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("kernel", "padding", "groups"), [(1, 0, 1), (1, 0, 2), (1, 1, 1), (3, 1, 1)])
@pytest.mark.parametrize("side", [7, 8])
def test_a_convolution_has_its_values_and_gradients(
    stride: int, kernel: int, padding: int, groups: int, side: int
) -> None:
    torch.manual_seed(0)
    synapse = nn.Conv2d(4, 6, kernel, stride, padding, groups=groups, bias=False)
    x = (torch.rand(40, 4, side, side) < 0.4).float()
    first, second = x.clone().requires_grad_(), x.clone().requires_grad_()
    wanted = synapse(first)
    factors = torch.randn_like(wanted)
    (wanted * factors).sum().backward()
    to_weight, synapse.weight.grad = synapse.weight.grad, None
    # heap that the gradient of a strided kernel of one pixel damaged was found damaged within a few calls
    for _ in range(20):
        second.grad = synapse.weight.grad = None
        given = apply_synapse(synapse, synapse.weight, second)
        (given * factors).sum().backward()
    torch.testing.assert_close(given, wanted, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(second.grad, first.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(synapse.weight.grad, to_weight, rtol=1e-4, atol=1e-4)
