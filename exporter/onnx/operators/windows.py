"""Windows of convolutions and poolings: their padding in numbers, equal at both ends after the kernel is enlarged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikeport.common.errors import InputError

from .node import Node
from .tensor import Order, Tensor
from .values import Floats, Value

Pair = tuple[int, int]


@dataclass(frozen=True)
class Windows:
    """Over height and width; a signal of one dimension is an image of height 1.

    before, after: all zeros in front of the image and behind it; own: those of the node itself, not of a Pad.
    """

    kernel: Pair
    stride: Pair
    dilation: Pair
    before: Pair
    after: Pair
    own: tuple[int, ...]

    def enlarged(self, weight: Floats) -> tuple[Floats, Pair, Pair]:
        """The kernel with zeros at one end, so that padding is equal at both: kernel, padding, dilation."""
        padding = [max(ends) for ends in zip(self.before, self.after, strict=True)]
        dilation = list(self.dilation)
        for axis in range(2):
            missing = padding[axis] - self.before[axis], padding[axis] - self.after[axis]
            if sum(missing) % dilation[axis]:
                weight, dilation[axis] = _spread(weight, 2 + axis, dilation[axis]), 1
            zeros = [(0, 0)] * weight.ndim
            zeros[2 + axis] = (missing[0] // dilation[axis], missing[1] // dilation[axis])
            weight = np.pad(weight, zeros)
        return weight, (padding[0], padding[1]), (dilation[0], dilation[1])


def windows_of(node: Node, tensor: Tensor, kernel: tuple[int, ...]) -> Windows:
    """The node's windows over a tensor (N, channels, length) or (N, channels, height, width); raises InputError."""
    dimensions = len(tensor.shape) - 2
    if len(kernel) != dimensions or dimensions not in (1, 2) or min(kernel) < 1:
        raise InputError(f"{node.label}: has windows {kernel} over {node.shown(tensor)}; give one length per axis")
    outer = tensor.pads or ((0, 0),) * (dimensions + 2)
    if any(zeros != (0, 0) for zeros in outer[:2]):
        raise InputError(f"{node.label}: reads channels or samples that a Pad made; pad height and width only")
    stride, dilation = _per_axis(node, "strides", dimensions), _per_axis(node, "dilations", dimensions)
    size = [n + sum(zeros) for n, zeros in zip(tensor.shape[2:], outer[2:], strict=True)]
    own = _pads(node, size, kernel, stride, dilation)
    before = [own[i] + outer[2 + i][0] for i in range(dimensions)]
    after = [own[dimensions + i] + outer[2 + i][1] for i in range(dimensions)]
    return Windows(
        _pair(kernel, 1), _pair(stride, 1), _pair(dilation, 1), _pair(before, 0), _pair(after, 0), tuple(own)
    )


def image_of(node: Node, tensor: Tensor) -> Value:
    """A tensor (N, channels, length) or (N, channels, height, width) as an image, one of height 1 for a length."""
    order = tensor.order[:, :, None, :] if len(tensor.shape) == 3 else tensor.order
    if order.ndim != 4:
        raise InputError(f"{node.label}: reads {node.shown(tensor)}, but must read (N, channels, height, width)")
    return node.as_image(tensor.value, order)


def like(value: Value, rank: int) -> Tensor:
    """An image as a tensor of that rank: without its height of 1 if the rank is 3."""
    order: Order = np.arange(value.size).reshape(1, *value.shape)
    return Tensor(value, order[:, :, 0, :] if rank == 3 else order)


def _pads(
    node: Node, size: list[int], kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> list[int]:
    """Zeros in front of each axis, then those behind."""
    given, auto = node.attributes["pads"], node.attributes["auto_pad"]
    count = 2 * len(kernel)
    pads = [0] * count if given is None else list(given)
    if len(pads) != count or min(pads) < 0:
        named = "four numbers from 0: top, left, bottom, right" if count == 4 else f"{count} numbers from 0"
        raise InputError(f"{node.label}: has pads {tuple(pads)}; give {named}")
    if auto == "NOTSET":
        return pads
    if any(pads):
        meaning = "no padding" if auto == "VALID" else "padding by the size"
        raise InputError(
            f"{node.label}: has auto_pad {auto}, which means {meaning}, and pads {tuple(pads)}; give one of the two"
        )
    if auto == "VALID":
        return pads
    less, more = [], []
    for length, window, step, apart in zip(size, kernel, stride, dilation, strict=True):
        total = max((-(-length // step) - 1) * step + (window - 1) * apart + 1 - length, 0)
        less.append(total // 2)
        more.append(total - total // 2)
    return [*less, *more] if auto == "SAME_UPPER" else [*more, *less]


def _per_axis(node: Node, name: str, dimensions: int) -> tuple[int, ...]:
    values = node.attributes.get(name)
    values = (1,) * dimensions if values is None else values
    if len(values) != dimensions or min(values) < 1:
        raise InputError(f"{node.label}: has {name} {values}; give {dimensions} whole numbers from 1, one per axis")
    return tuple(int(n) for n in values)


def _pair(values: list[int] | tuple[int, ...], missing: int) -> Pair:
    """For height and width."""
    return (missing, values[0]) if len(values) == 1 else (values[0], values[1])


def _spread(weight: Floats, axis: int, dilation: int) -> Floats:
    """A kernel with the zeros of its dilation written out."""
    shape = list(weight.shape)
    shape[axis] = (shape[axis] - 1) * dilation + 1
    spread = np.zeros(shape)
    spread[(slice(None),) * axis + (slice(None, None, dilation),)] = weight
    return spread
