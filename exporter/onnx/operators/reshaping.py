"""ONNX nodes that only change axes: flattening, and nodes without effect."""

from __future__ import annotations

import math

from spikeport.common.errors import InputError

from .node import Node
from .values import Value


def flatten(node: Node) -> Value:
    """(N, ...) -> (N, features)."""
    value = node.value(0)
    rank, axis = len(value.shape) + 1, node.attributes["axis"]
    if axis not in (1, 1 - rank):
        raise InputError(f"{node.label}: has axis {axis}, which also flattens the batch, or not all axes; use axis 1")
    return node.walk.builder.flat(value, node.name)


def reshape(node: Node) -> Value:
    """Flattens, or changes nothing; the batch must stay the first axis, whatever its length."""
    value, batch = node.value(0), node.walk.batch
    given = node.integers(1)
    if min(given, default=-2) < -1:
        raise InputError(f"{node.label}: has the shape {given}; export the network again")
    shape = list(given)
    if not node.attributes["allowzero"]:
        shape = [_copied(i, batch, value) if n == 0 else n for i, n in enumerate(shape)]
    # -2 is a batch of any length
    first, others = (shape[0], shape[1:]) if shape else (0, [])
    known = math.prod(n for n in others if n != -1)
    if first in (-2, batch) and others.count(-1) == 1 and known > 0:
        others = [value.size // known if n == -1 else n for n in others]
    elif first not in (-2, -1, batch):
        others = []
    if math.prod(others) == value.size and tuple(others) in (value.shape, (value.size,)):
        return node.walk.builder.flat(value, node.name) if len(others) == 1 else value
    raise InputError(
        f"{node.label}: makes (N, {', '.join(map(str, value.shape))}) {given}, but only flattening has a meaning here, "
        "sample by sample; use Flatten"
    )


def _copied(index: int, batch: int | None, value: Value) -> int:
    """The length of an axis of the input."""
    if index == 0:
        return -2 if batch is None else batch
    return value.shape[index - 1] if index <= len(value.shape) else 0


def squeeze(node: Node) -> Value:
    """(N, channels, 1, 1) -> (N, channels); without axes, a batch or channel axis of length 1 would also go."""
    value, batch = node.image(), node.walk.batch
    axes = node.axes(4)
    if not axes and value.shape[0] != 1 and batch not in (None, 1):
        axes = (2, 3)
    if axes != (2, 3) or value.shape[1:] != (1, 1):
        raise InputError(
            f"{node.label}: takes axes {axes or 'of length 1'} out of (N, {', '.join(map(str, value.shape))}); use "
            "axes (2, 3) where both are of length 1"
        )
    return node.walk.builder.flat(value, node.name)
