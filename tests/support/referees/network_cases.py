"""Layers computed by plain loops, and networks as after some training."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from spikeport.trainer.network.inference_layers import InferenceLayer
from spikeport.trainer.network.spiking_network import SpikingBlock, SpikingNetwork

Array = NDArray[np.float64]


def connect(layer: InferenceLayer, spikes: Array) -> Array:
    """Weights times spikes of one step and one sample, by plain loops."""
    if layer.kind == "dense":
        return layer.weight @ spikes
    channels, rows, columns = layer.output_shape
    (top, left), (down, right), (high, wide) = layer.padding, layer.stride, layer.dilation
    padded = np.pad(spikes, ((0, 0), (top, top), (left, left)))
    inputs, (kh, kw) = layer.weight.shape[1], layer.weight.shape[2:]
    result = np.zeros(layer.output_shape)
    for channel in range(channels):
        first = channel // (channels // layer.groups) * inputs
        for y in range(rows):
            for x in range(columns):
                window = padded[
                    first : first + inputs,
                    y * down : y * down + high * (kh - 1) + 1 : high,
                    x * right : x * right + wide * (kw - 1) + 1 : wide,
                ]
                result[channel, y, x] = (window * layer.weight[channel]).sum()
    return result


def randomised(network: SpikingNetwork, seed: int) -> SpikingNetwork:
    """Weights, biases and running statistics as after some training, in eval mode and float64."""
    generator = torch.Generator().manual_seed(seed)
    network = network.double().eval()
    for block in network.layers.values():
        if isinstance(block, SpikingBlock):
            block.synapse.weight.data.copy_(torch.randn(block.synapse.weight.shape, generator=generator) * 0.4)
            if block.bias is not None:
                block.bias.data.copy_(0.2 * torch.randn(block.bias.shape, generator=generator))
            if block.norm is not None:
                assert block.norm.running_mean is not None and block.norm.running_var is not None
                for value, low, high in (
                    (block.norm.running_mean, -0.5, 0.5),
                    (block.norm.running_var, 0.3, 2.0),
                    (block.norm.weight.data, -0.4, 1.5),
                    (block.norm.bias.data, -0.2, 0.4),
                ):
                    value.copy_(low + (high - low) * torch.rand(value.shape, generator=generator))
    return network
