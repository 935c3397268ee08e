"""Pad: zeros around an image, which the convolution or pooling after it takes as its own."""

from __future__ import annotations

from dataclasses import replace

from spikeport.common.errors import InputError

from .node import Node
from .tensor import Tensor


def pad(node: Node) -> Tensor:
    """Zeros around a signal; raises InputError for another number, another mode, or what cuts away."""
    tensor = node.padded(0)
    rank = len(tensor.shape)
    given = node.attributes["pads"]
    pads = node.integers(1) if given is None else given
    number = node.attributes["value"] if given is not None else node.constant(2, 0.0)
    axes = node.integers(3) if node.has(3) else tuple(range(rank))
    if any(not -rank <= axis < rank for axis in axes) or len(pads) != 2 * len(axes):
        raise InputError(f"{node.label}: has pads {pads} for axes {axes} of {node.shown(tensor)}; export it again")
    zeros = [(0, 0)] * rank
    for i, axis in enumerate(axes):
        zeros[axis % rank] = (pads[i], pads[len(axes) + i])
    if len({axis % rank for axis in axes}) < len(axes) or min(pads, default=0) < 0:
        raise InputError(f"{node.label}: has pads {pads} for axes {axes}; give each axis once, with numbers from 0")
    if not any(pads):
        return tensor
    if number != 0:
        raise InputError(f"{node.label}: pads with {number}; only zeros can be the padding of a convolution")
    before = tensor.pads or ((0, 0),) * rank
    both = tuple((a + c, b + d) for (a, b), (c, d) in zip(before, zeros, strict=True))
    return replace(tensor, pads=both)
