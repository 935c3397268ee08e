"""Concat: each branch is placed at its channels of the whole, and the whole is their sum."""

from __future__ import annotations

import numpy as np

from spikeport.common.errors import InputError

from .node import Node
from .values import Value

# a branch of a vector is placed by a matrix; of this many elements it is half a gigabyte
_LARGEST = 1 << 26


def concat(node: Node) -> Value:
    """Signals one after the other along the channels, or the features of a vector."""
    count = len(node.proto.input)
    if any(node.is_constant(i) for i in range(count)):
        raise InputError(f"{node.label}: joins a constant to the network's signal; only signals can be joined")
    values = [node.value(i) for i in range(count)]
    rank, axis = len(values[0].shape) + 1, node.attributes["axis"]
    if axis is None or axis not in (1, 1 - rank):
        raise InputError(f"{node.label}: joins along axis {axis}; only channels or features, axis 1, can be joined")
    if len({(len(value.shape), value.shape[1:]) for value in values}) > 1:
        shapes = ", ".join(str(value.shape) for value in values)
        raise InputError(f"{node.label}: joins shapes {shapes}, which differ beyond axis 1; make them equal there")
    total = sum(value.shape[0] for value in values)
    if len(values) == 1:
        return values[0]
    terms: list[tuple[str, float]] = []
    first = 0
    for number, value in enumerate(values):
        channels = value.shape[0]
        if rank == 2 and total * channels > _LARGEST:
            raise InputError(f"{node.label}: joins {total:,} numbers, which is too many; join images before Flatten")
        place = np.zeros((total, channels))
        place[first : first + channels] = np.eye(channels)
        name, builder = f"{node.name}_{number}", node.walk.builder
        if rank == 2:
            placed = builder.affine(value, place, np.zeros(total), name)
        else:
            placed = builder.convolution(value, place[:, :, None, None], np.zeros(total), name)
        terms += placed.terms
        first += channels
    # a factor for each branch would scale the others, too
    node.walk.builder.shared.update(name for name, _ in terms)
    return Value(tuple(terms), (total, *values[0].shape[1:]))
