"""Resize and ConvTranspose: images that become larger, as matrices, since NIR has no node for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from spikeport.common.errors import InputError

from .node import Node
from .values import Floats, Shape, Value

# from this opset on Resize has coordinate modes
_COORDINATES = 11
# scales of this denominator are exact in 32 bit; with others, positions this near a border fall on either side of it
_FRACTIONS, _BORDER = 1024, np.float32(1e-4)


def conv_transpose(node: Node) -> Value:
    """Each number adds its kernel to the output, which is cut by `pads`: in two dimensions."""
    value, weight = node.image(), node.constant(1)
    strides, dilations = node.pair("strides"), node.pair("dilations")
    groups, given = int(node.attributes["group"]), node.attributes
    if weight.ndim != 4 or (given["kernel_shape"] is not None and given["kernel_shape"] != weight.shape[2:]):
        raise InputError(f"{node.label}: has weights {weight.shape}; give four axes, and kernel_shape as theirs")
    if groups < 1 or len(weight) != value.shape[0] or len(weight) % groups:
        raise InputError(
            f"{node.label}: weights {weight.shape} and group {groups} do not fit an image {value.shape}; export again"
        )
    pads, further = given["pads"], given["output_padding"]
    if len(pads) != 4 or min(pads) < 0 or len(further) != 2 or min(further) < 0 or given["output_shape"] is not None:
        raise InputError(
            f"{node.label}: has pads {pads}, output_padding {further} and output_shape {given['output_shape']}; give "
            "four and two numbers from 0, and no output_shape"
        )
    if given["auto_pad"] == "VALID" and any(pads):
        raise InputError(f"{node.label}: has auto_pad VALID, which means no padding, and pads {pads}; give one of them")
    channels = weight.shape[1] * groups
    bias = node.constant(2, np.zeros(channels))
    if bias.shape != (channels,):
        raise InputError(f"{node.label}: its bias {bias.shape} is not one number per channel of {channels}")
    sizes = [
        stride * (length - 1) + more + dilation * (kernel - 1) + 1 - pads[axis] - pads[axis + 2]
        for axis, (stride, length, more, dilation, kernel) in enumerate(
            zip(strides, value.shape[1:], further, dilations, weight.shape[2:], strict=True)
        )
    ]
    if min(sizes) < 1:
        raise InputError(f"{node.label}: outputs {(channels, *sizes)}; use smaller pads")
    out = (channels, sizes[0], sizes[1])
    node.walk.builder.check_matrix(value.shape, out, node.label)
    matrix = _transposed(weight, groups, value.shape, out, strides, dilations, (int(pads[0]), int(pads[1])))
    return node.walk.builder.matrix(value, matrix, np.repeat(bias, sizes[0] * sizes[1]), out, node.name)


def _transposed(
    weight: Floats, groups: int, shape: Shape, out: Shape, strides: tuple[int, int], dilations: tuple[int, int],
    pads: tuple[int, int],
) -> csr_array:  # fmt: skip
    """The matrix (out size, size): input (c, y, x) reaches (o, y stride + i dilation - pad, ...)."""
    inputs, each, tall, wide = weight.shape
    c, o, i, j, y, x = np.ogrid[:inputs, :each, :tall, :wide, : shape[1], : shape[2]]
    row = y * strides[0] + i * dilations[0] - pads[0]
    column = x * strides[1] + j * dilations[1] - pads[1]
    inside = (row >= 0) & (row < out[1]) & (column >= 0) & (column < out[2]) & (weight != 0)[..., None, None]
    channel = c // (inputs // groups) * each + o
    targets = np.broadcast_to((channel * out[1] + row) * out[2] + column, inside.shape)[inside]
    sources = np.broadcast_to((c * shape[1] + y) * shape[2] + x, inside.shape)[inside]
    values = np.broadcast_to(weight[..., None, None], inside.shape)[inside]
    return csr_array(coo_array((values, (targets, sources)), shape=(int(np.prod(out)), int(np.prod(shape)))))


def resize(node: Node) -> Value:
    """Nearest neighbours, by scales or sizes; each output is one of the inputs."""
    value = node.image()
    scales, sizes = _scales_and_sizes(node)
    if scales is not None:
        sizes = [int(np.floor(np.float32(n) * s)) for n, s in zip((1, *value.shape), scales, strict=True)]
    else:
        assert sizes is not None  # one of the two is given
        scales = [np.float32(size) / np.float32(n) for size, n in zip(sizes, (1, *value.shape), strict=True)]
    if sizes[1] != value.shape[0] or scales[0] != 1 or scales[1] != 1 or min(sizes[2:]) < 1:
        raise InputError(f"{node.label}: makes {value.shape} {tuple(sizes[1:])}; only height and width can change")
    rows, columns = (_nearest(node, value.shape[axis - 1], sizes[axis], np.float32(scales[axis])) for axis in (2, 3))
    out = (value.shape[0], sizes[2], sizes[3])
    node.walk.builder.check_matrix(value.shape, out, node.label)
    channel = np.arange(out[0])[:, None, None] * (value.shape[1] * value.shape[2])
    sources = (channel + rows[None, :, None] * value.shape[2] + columns[None, None, :]).reshape(-1)
    matrix = csr_array(
        (np.ones(sources.size), sources, np.arange(sources.size + 1)), shape=(sources.size, value.size)
    )  # fmt: skip
    return node.walk.builder.matrix(value, matrix, np.zeros(sources.size), out, node.name)


def _scales_and_sizes(node: Node) -> tuple[list[np.float32] | None, list[int] | None]:
    """One number for each of the four axes: scales, or sizes."""
    given = node.attributes
    if node.kind == "Upsample" and given["scales"] is not None:
        return _four(node, np.asarray(given["scales"]), np.float32(1)), None
    at = 1 if node.kind == "Upsample" or node.walk.opset < _COORDINATES else 2
    scales, sizes = (node.constant(i, np.zeros(0)) if i < 4 else np.zeros(0) for i in (at, at + 1 if at == 2 else 4))
    if (scales.size > 0) == (sizes.size > 0):
        raise InputError(f"{node.label}: has both scales and sizes, or neither; give one of them")
    if scales.size:
        return _four(node, scales, np.float32(1)), None
    if given.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise InputError(f"{node.label}: keeps the aspect ratio of its sizes; give the sizes themselves")
    whole = _four(node, sizes, np.float32(0))
    return None, [int(n) or length for n, length in zip(whole, (1, *node.image().shape), strict=True)]


def _four(node: Node, numbers: NDArray[np.float64], default: np.float32) -> list[np.float32]:
    """A number for each axis of (N, channels, height, width), where `axes` may name those that are given."""
    axes = node.attributes.get("axes")
    axes = tuple(range(4)) if axes is None else tuple(axes)
    # onnxruntime 1.23 ends the process on those counted from the end
    if any(not 0 <= axis < 4 for axis in axes):
        raise InputError(f"{node.label}: has axes {axes}; count them from the front, from 0 to 3")
    if numbers.shape != (len(axes),) or len(set(axes)) != len(axes) or not np.all(numbers > 0):
        raise InputError(f"{node.label}: has {numbers.shape} scales or sizes; give a positive one for each axis")
    each = [default] * 4
    for axis, number in zip(axes, numbers, strict=True):
        each[axis] = np.float32(number)
    if axes == tuple(range(4)) and default == 0:
        # the batch keeps its length
        each[0] = np.float32(1)
    return each


def _nearest(node: Node, length: int, size: int, scale: np.float32) -> NDArray[np.int64]:
    """The input element of each output element along one axis, (size,); in 32 bit, as onnxruntime computes."""
    one, half = np.float32(1), np.float32(0.5)
    at = np.arange(size, dtype=np.float32)
    mode = node.attributes.get("coordinate_transformation_mode", "asymmetric")
    rounding = node.attributes.get("nearest_mode", "floor")
    if node.kind == "Upsample" or node.walk.opset < _COORDINATES:
        mode, rounding = "asymmetric", "floor"
        if scale < 1:
            raise InputError(f"{node.label}: makes the image smaller, which depends on the runtime; use opset 11")
    if scale == 1 and size == length:
        return np.arange(size)
    if mode == "asymmetric":
        positions = at / scale
    elif mode == "align_corners":
        positions = np.zeros(1, np.float32) if size == 1 else at * np.float32(length - 1) / np.float32(size - 1)
    elif mode == "pytorch_half_pixel" and size == 1:
        positions = np.zeros(1, np.float32)
    elif mode == "half_pixel_symmetric":
        adjustment = np.float32(size) / (scale * np.float32(length))
        middle = np.float32(length) / np.float32(2)
        positions = middle * (one - adjustment) + (at + half) / scale - half
    else:
        positions = (at + half) / scale - half
    nearest = _rounded(positions, rounding)
    exact = float(scale) * _FRACTIONS == int(float(scale) * _FRACTIONS)
    exact = mode == "align_corners" or (exact and (mode != "half_pixel_symmetric" or float(scale) * length == size))
    if not exact and any(np.any(_rounded(positions + d, rounding) != nearest) for d in (-_BORDER, _BORDER)):
        raise InputError(
            f"{node.label}: has a neighbour that depends on the last digit of the scale {scale:g}; use a scale of "
            "whole numbers or halves"
        )
    clipped: NDArray[np.int64] = np.clip(nearest, 0, length - 1).astype(np.int64)
    return clipped


def _rounded(positions: NDArray[np.float32], rounding: str) -> NDArray[np.float32]:
    half = np.float32(0.5)
    if rounding == "round_prefer_floor":
        return np.asarray(np.ceil(positions - half))
    if rounding == "round_prefer_ceil":
        return np.asarray(np.floor(positions + half))
    return np.asarray(np.floor(positions) if rounding == "floor" else np.ceil(positions))
