"""Layers with weights, and pooling: ONNX nodes -> affine maps, convolutions and averages of a NIR graph."""

from __future__ import annotations

import numpy as np

from spikeport.common.errors import InputError

from .node import Node
from .values import Floats, Value


def gemm(node: Node) -> Value:
    """alpha A B + beta C with constant B and C; transA is rejected by its declaration."""
    weight = node.constant(1) * node.attributes["alpha"]
    weight = weight if node.attributes["transB"] else weight.T
    bias = node.constant(2, 0.0) * node.attributes["beta"]
    # C is broadcast to (batch, outputs): a column would be a number per sample
    if bias.size != 1 and bias.shape not in ((len(weight),), (1, len(weight))):
        raise InputError(f"{node.label}: its C {bias.shape} is not one number per output; export a plain Linear layer")
    return _affine(node, weight, bias)


def matmul(node: Node) -> Value:
    """The signal times a constant matrix."""
    return _affine(node, node.constant(1).T, np.zeros(1))


def _affine(node: Node, weight: Floats, bias: Floats) -> Value:
    value = node.value(0)
    if weight.ndim != 2 or len(value.shape) != 1 or weight.shape[1] != value.size:
        raise InputError(f"{node.label}: weights {weight.T.shape} do not take a vector of {value.shape}; flatten first")
    each = np.broadcast_to(bias.reshape(-1), (len(weight),)).astype(np.float64)
    return node.walk.builder.affine(value, weight, each, node.name)


def conv(node: Node) -> Value:
    """A convolution in two dimensions with padding equal at both ends."""
    value, weight = node.image(), node.constant(1)
    if weight.ndim != 4:
        raise InputError(f"{node.label}: is of {weight.ndim - 2} dimensions, but images have 2; use Conv2d")
    kernel, groups = node.attributes["kernel_shape"], int(node.attributes["group"])
    if kernel is not None and kernel != weight.shape[2:]:
        raise InputError(f"{node.label}: has kernel_shape {kernel}, but weights {weight.shape}; export it again")
    if groups < 1 or weight.shape[1] * groups != value.shape[0] or len(weight) % groups:
        raise InputError(
            f"{node.label}: weights {weight.shape} and group {groups} do not fit an image {value.shape}; export again"
        )
    bias = node.constant(2, np.zeros(len(weight)))
    if bias.shape != (len(weight),):
        raise InputError(
            f"{node.label}: its bias {bias.shape} is not one number per channel of {weight.shape}; export again"
        )
    return node.walk.builder.convolution(
        value, weight, bias, node.name, stride=node.pair("strides"), padding=_padding(node),
        dilation=node.pair("dilations"), groups=groups,
    )  # fmt: skip


def batch_norm(node: Node) -> Value:
    """Inference: scale (x - mean) / sqrt(variance + epsilon) + shift, per channel."""
    value, given = node.value(0), [node.constant(i) for i in range(1, 5)]
    if any(each.shape != value.shape[:1] for each in given):
        raise InputError(
            f"{node.label}: its constants are not one number per channel of {value.shape}; export it again"
        )
    scale, shift, mean, variance = given
    if np.any(variance < 0) or np.any(variance + node.attributes["epsilon"] <= 0):
        raise InputError(f"{node.label}: has a negative variance, or 0 without epsilon; export the network again")
    gain = scale / np.sqrt(variance + node.attributes["epsilon"])
    return node.walk.builder.scaled(value, gain, shift - mean * gain, node.name)


def average_pool(node: Node) -> Value:
    """Means over windows that fit, without padding: the declaration rejects the rest."""
    return node.walk.builder.average(node.image(), node.pair("kernel_shape"), node.pair("strides"), node.name)


def global_average(node: Node) -> Value:
    """The mean over height and width, which stay as axes of length 1."""
    value = node.image()
    size = (value.shape[1], value.shape[2])
    return node.walk.builder.average(value, size, size, node.name)


def reduce_mean(node: Node) -> Value:
    """The mean over height and width, with or without those axes."""
    axes = node.axes(len(node.value(0).shape) + 1)
    if axes != (2, 3):
        raise InputError(f"{node.label}: averages over axes {axes}; only height and width (2, 3) can be converted")
    mean = global_average(node)
    return mean if node.attributes["keepdims"] else node.walk.builder.flat(mean, f"{node.name}_flat")


def _padding(node: Node) -> tuple[int, int]:
    pads = node.attributes["pads"]
    if len(pads) != 4 or min(pads) < 0:
        raise InputError(f"{node.label}: has pads {pads}; give four numbers from 0: top, left, bottom, right")
    if node.attributes["auto_pad"] == "VALID" and any(pads):
        raise InputError(
            f"{node.label}: has auto_pad VALID, which means no padding, and pads {pads}; give one of the two"
        )
    top, left, bottom, right = pads
    if (top, left) != (bottom, right):
        raise InputError(f"{node.label}: pads {(top, left)} before and {(bottom, right)} after; pad both ends equally")
    return top, left
