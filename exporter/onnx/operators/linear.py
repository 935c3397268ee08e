"""Layers with weights, and pooling: ONNX nodes -> affine maps, convolutions and averages of a NIR graph."""

from __future__ import annotations

import numpy as np

from spikeport.common.errors import InputError

from .elementwise import scaled
from .node import Node
from .tensor import Tensor, counting
from .values import Floats, Value
from .windows import Windows, image_of, like, windows_of


def gemm(node: Node) -> Tensor:
    """alpha A B + beta C with constant B and C; transA is rejected by its declaration."""
    weight = node.constant(1) * node.attributes["alpha"]
    weight = weight if node.attributes["transB"] else weight.T
    bias = node.constant(2, 0.0) * node.attributes["beta"]
    # C is broadcast to (batch, outputs): a column would be a number per sample
    if bias.size != 1 and bias.shape not in ((len(weight),), (1, len(weight))):
        raise InputError(f"{node.label}: its C {bias.shape} is not one number per output; export a plain Linear layer")
    if len(node.tensor(0).shape) != 2:
        raise InputError(
            f"{node.label}: reads {node.shown(node.tensor(0))}, but must read (N, features); flatten first"
        )
    return _affine(node, weight, bias)


def matmul(node: Node) -> Tensor:
    """The signal times a constant matrix."""
    return _affine(node, node.constant(1).T, np.zeros(1))


def _affine(node: Node, weight: Floats, bias: Floats) -> Tensor:
    """weight (outputs, features) times the last axis, which must hold all of a sample."""
    tensor = node.tensor(0)
    size = tensor.order.size
    if weight.ndim != 2 or tensor.shape[-1] != size or weight.shape[1] != size:
        raise InputError(
            f"{node.label}: weights {weight.T.shape} do not take a vector of {node.shown(tensor)}; flatten first"
        )
    each = np.broadcast_to(bias.reshape(-1), (len(weight),)).astype(np.float64)
    arranged = np.empty(weight.shape)
    arranged[:, tensor.order.reshape(-1)] = weight
    value = node.walk.builder.affine(tensor.value, arranged, each, node.name)
    return Tensor(value, counting(value.size).reshape(*tensor.shape[:-1], value.size))


def conv(node: Node) -> Tensor:
    """A convolution in one or two dimensions; unequal padding becomes zeros in the kernel."""
    tensor, weight = node.padded(0), node.constant(1)
    if weight.ndim not in (3, 4) or len(tensor.shape) != weight.ndim:
        raise InputError(
            f"{node.label}: weights {weight.shape} over {node.shown(tensor)}, but only 1-D and 2-D convolutions can be "
            "converted; use Conv1d or Conv2d"
        )
    kernel, groups = node.attributes["kernel_shape"], int(node.attributes["group"])
    if kernel is not None and kernel != weight.shape[2:]:
        raise InputError(f"{node.label}: has kernel_shape {kernel}, but weights {weight.shape}; export it again")
    channels = tensor.shape[1]
    if groups < 1 or weight.shape[1] * groups != channels or len(weight) % groups:
        raise InputError(
            f"{node.label}: weights {weight.shape} and group {groups} do not fit an image {tensor.shape[1:]}; export "
            "again"
        )
    bias = node.constant(2, np.zeros(len(weight)))
    if bias.shape != (len(weight),):
        raise InputError(
            f"{node.label}: its bias {bias.shape} is not one number per channel of {weight.shape}; export again"
        )
    windows = windows_of(node, tensor, weight.shape[2:])
    flat = weight[:, :, None, :] if weight.ndim == 3 else weight
    return like(_convolved(node, image_of(node, tensor), windows, flat, bias, groups), weight.ndim)


def _convolved(node: Node, image: Value, windows: Windows, weight: Floats, bias: Floats, groups: int) -> Value:
    enlarged, padding, dilation = windows.enlarged(weight)
    return node.walk.builder.convolution(
        image, enlarged, bias, node.name, stride=windows.stride, padding=padding, dilation=dilation, groups=groups
    )


def batch_norm(node: Node) -> Tensor:
    """Inference: scale (x - mean) / sqrt(variance + epsilon) + shift, per channel."""
    tensor, given = node.tensor(0), [node.constant(i) for i in range(1, 5)]
    if len(tensor.shape) < 2 or any(each.shape != tensor.shape[1:2] for each in given):
        raise InputError(
            f"{node.label}: its constants are not one number per channel of {node.shown(tensor)}; export it again"
        )
    scale, shift, mean, variance = given
    if np.any(variance < 0) or np.any(variance + node.attributes["epsilon"] <= 0):
        raise InputError(f"{node.label}: has a negative variance, or 0 without epsilon; export the network again")
    gain = scale / np.sqrt(variance + node.attributes["epsilon"])
    ones = [1] * (len(tensor.shape) - 2)
    return scaled(node, tensor, gain.reshape(-1, *ones), (shift - mean * gain).reshape(-1, *ones))


def average_pool(node: Node) -> Tensor:
    """Means over windows; with padding that counts, a convolution of each channel with equal weights."""
    tensor = node.padded(0)
    windows = windows_of(node, tensor, tuple(node.attributes["kernel_shape"]))
    image = image_of(node, tensor)
    if any(windows.own) and not node.attributes["count_include_pad"]:
        raise InputError(
            f"{node.label}: has pads {windows.own}, which its means at the edges leave out; use plain windows that "
            "fit, or count_include_pad 1"
        )
    if not any((*windows.before, *windows.after)):
        return like(node.walk.builder.average(image, windows.kernel, windows.stride, node.name), len(tensor.shape))
    channels, size = image.shape[0], windows.kernel[0] * windows.kernel[1]
    weight = np.full((channels, 1, *windows.kernel), 1 / size)
    return like(_convolved(node, image, windows, weight, np.zeros(channels), channels), len(tensor.shape))


def global_average(node: Node) -> Tensor:
    """The mean over all axes behind the channels, which stay as axes of length 1."""
    tensor = node.tensor(0)
    rank = len(tensor.shape)
    return _mean(node, tensor, tuple(range(2, rank)), keep=True)


def reduce_mean(node: Node) -> Tensor:
    """The mean over height and width, channels first or last, with or without those axes."""
    tensor = node.tensor(0)
    return _mean(node, tensor, node.axes(len(tensor.shape)), keep=bool(node.attributes["keepdims"]))


def _mean(node: Node, tensor: Tensor, axes: tuple[int, ...], *, keep: bool) -> Tensor:
    rank = len(tensor.shape)
    if tensor.shape[:1] != (1,) or (rank, axes) not in ((4, (2, 3)), (4, (1, 2)), (3, (2,)), (3, (1,))):
        raise InputError(
            f"{node.label}: averages over axes {axes} of {node.shown(tensor)}; only height and width, (2, 3) or "
            "channels-last (1, 2), can be converted"
        )
    order = tensor.order if axes[0] == 2 else np.moveaxis(tensor.order, -1, 1)
    image = image_of(node, tensor.with_order(order))
    size = (image.shape[1], image.shape[2])
    value = node.walk.builder.average(image, size, size, node.name)
    shape = [1 if axis in axes else n for axis, n in enumerate(tensor.shape) if keep or axis not in axes]
    return Tensor(value, counting(value.size).reshape(shape))
