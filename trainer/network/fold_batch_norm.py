"""Fold batch norm into the weights before it and a bias after it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spikeport.trainer.neuron_step.memory_order import move_channels_last
from spikeport.trainer.neuron_step.sparse_synapse import is_faster, sparse_linear

from .exact_convolution import Convolve

BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d
Synapse = nn.Linear | nn.Conv2d


def fold_norm(weight: Tensor, norm: BatchNorm) -> tuple[Tensor, Tensor]:
    """Weights and bias equivalent to `weight` followed by batch norm with its running statistics.

    W' = k W, bias = beta - k mean, with k = gamma / sqrt(variance + eps) per output feature or channel. This also holds
    with a linear filter between the two: BN(filter(W s)) = filter(W' s) + bias.
    Source: Jacob et al., Quantization and Training of Neural Networks, CVPR 2018, section 3.2.
    """
    assert norm.running_mean is not None
    assert norm.running_var is not None
    factor = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return weight * factor.view(-1, *[1] * (weight.dim() - 1)), norm.bias - factor * norm.running_mean


def apply_synapse(
    synapse: Synapse, weight: Tensor, spikes: Tensor, convolve: Convolve = nn.functional.conv2d
) -> Tensor:
    """Apply `synapse` with other weights to spikes (N, *input)."""
    if isinstance(synapse, nn.Linear):
        return sparse_linear(spikes, weight) if is_faster(spikes, weight) else nn.functional.linear(spikes, weight)
    # torch's type allows string padding, which is never built here
    images, stride = move_channels_last(spikes), synapse.stride
    if weight.shape[2:] == (1, 1) and synapse.padding == (0, 0) and stride != (1, 1):
        # a kernel of one pixel reads every stride-th; torch 2.14's gradient of a strided one writes outside of its
        # memory on processors without AVX-512 if few channels lie last
        images, stride = move_channels_last(images[:, :, :: stride[0], :: stride[1]]), (1, 1)
    return convolve(images, weight, None, stride, synapse.padding, synapse.dilation, synapse.groups)
