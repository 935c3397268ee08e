"""ONNX nodes that only move or rename axes: the elements stay, in another order or shape."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spikeport.common.errors import InputError

from .batch import Batch
from .node import Node
from .tensor import Tensor


def flatten(node: Node) -> Tensor:
    """(N, ...) -> (N, features); without a batch axis at any axis."""
    tensor = node.tensor(0)
    rank, axis = len(tensor.shape), node.attributes["axis"]
    if not -rank <= axis <= rank or (node.walk.batched and axis not in (1, 1 - rank)):
        raise InputError(f"{node.label}: has axis {axis}, which also flattens the batch, or not all axes; use axis 1")
    rows = math.prod(tensor.shape[: axis % rank if axis < rank else rank])
    return tensor.with_order(tensor.order.reshape(rows, -1))


def reshape(node: Node) -> Tensor:
    """Another shape of the same elements; N stays the first axis, whatever its length."""
    tensor = node.tensor(0)
    given = node.lengths(1)
    if any(isinstance(n, int) and n < -1 for n in given):
        raise InputError(f"{node.label}: has the shape {given}; export the network again")
    shape = _without_batch(node, tensor, given) if node.walk.batched else _copied(node, tensor, given, 0)
    resolved = _resolved(shape, tensor.order.size)
    if resolved is None:
        raise InputError(
            f"{node.label}: makes {node.shown(tensor)} {given}, but only shapes that keep N as the first axis and all "
            "elements have a meaning here, sample by sample; use Flatten"
        )
    return tensor.with_order(tensor.order.reshape((1, *resolved) if node.walk.batched else resolved))


def _without_batch(node: Node, tensor: Tensor, given: Sequence[int | Batch]) -> list[int] | None:
    """The shape of one sample, None if the first axis would not be N."""
    others = _copied(node, tensor, given[1:], 1)
    if not given or others is None:
        return None
    first, batch = given[0], node.walk.batch
    if first == 0 and not node.attributes["allowzero"]:
        return others
    if isinstance(first, Batch):
        return others if first.factor == 1 else None
    # -1 is N only if the other axes hold exactly one sample
    if first == -1:
        return others if -1 not in others and math.prod(others) == tensor.order.size else None
    return others if first == batch else None


def _copied(node: Node, tensor: Tensor, given: Sequence[int | Batch], start: int) -> list[int] | None:
    """The lengths with 0 replaced by that of the input's axis; None where N is not the first."""
    shape: list[int] = []
    for axis, length in enumerate(given, start):
        if isinstance(length, Batch):
            return None
        if length == 0 and not node.attributes["allowzero"]:
            if axis >= len(tensor.shape):
                return None
            length = tensor.shape[axis]
        shape.append(length)
    return shape


def _resolved(shape: list[int] | None, size: int) -> list[int] | None:
    """The shape with its -1 computed; None if it does not hold `size` elements."""
    if shape is None or shape.count(-1) > 1:
        return None
    known = math.prod(n for n in shape if n != -1)
    resolved = [size // known if n == -1 and known > 0 else n for n in shape]
    return resolved if math.prod(resolved) == size else None


def transpose(node: Node) -> Tensor:
    """Axes in another order; N stays the first."""
    tensor = node.padded(0)
    rank = len(tensor.shape)
    given = node.attributes["perm"]
    order = tuple(range(rank))[::-1] if given is None else given
    if sorted(order) != list(range(rank)) or (node.walk.batched and order[0] != 0):
        raise InputError(f"{node.label}: has perm {order} of {node.shown(tensor)}; N must stay the first axis")
    pads = tuple(tensor.pads[axis] for axis in order) if tensor.pads else ()
    return Tensor(tensor.value, tensor.order.transpose(order), pads)


def squeeze(node: Node) -> Tensor:
    """Without axes of length 1; if they are not named, N and other axes could be meant."""
    tensor = node.tensor(0)
    rank, batched = len(tensor.shape), node.walk.batched
    axes = node.axes(rank)
    named = bool(axes)
    if not named and not (batched and node.walk.batch in (None, 1)):
        axes = tuple(axis for axis in range(rank) if tensor.shape[axis] == 1 and not (batched and axis == 0))
        named = True
    if not named or len(set(axes)) < len(axes) or any(tensor.shape[axis] != 1 for axis in axes):
        raise InputError(
            f"{node.label}: takes axes {axes or 'of length 1'} out of {node.shown(tensor)}; name axes of length 1"
        )
    if batched and 0 in axes:
        raise InputError(f"{node.label}: takes the axis of the batch out of {node.shown(tensor)}; use axes behind it")
    return tensor.with_order(tensor.order.squeeze(axes) if axes else tensor.order)


def unsqueeze(node: Node) -> Tensor:
    """With further axes of length 1, behind N."""
    tensor = node.tensor(0)
    given = node.attributes["axes"]
    given = node.integers(1) if given is None else given
    rank = len(tensor.shape) + len(given)
    if any(not -rank <= axis < rank for axis in given):
        raise InputError(f"{node.label}: has axes {given}, but its output has {rank}; export it again")
    axes = sorted(axis % rank for axis in given)
    if len(set(axes)) < len(axes) or (node.walk.batched and 0 in axes):
        raise InputError(f"{node.label}: has axes {given}; N must stay the first axis, and each be given once")
    order = tensor.order
    for axis in axes:
        order = order[(slice(None),) * axis + (None,)]
    return tensor.with_order(order)
