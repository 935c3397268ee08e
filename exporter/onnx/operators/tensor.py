"""An ONNX tensor as a value whose elements are in another order: Transpose, Reshape and the like need no neurons."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .values import Shape, Value

Order = NDArray[np.int64]


class InputLayout(Exception):  # noqa: N818 - no error: the graph is read again with the input in this layout
    """The input's elements are needed as an image (channels, height, width).

    order: the image's element -> its position in the input as given.
    """

    def __init__(self, order: Order) -> None:
        super().__init__(order.shape)
        self.order = order


@dataclass(frozen=True)
class Tensor:
    """order: the tensor's element -> its position in the value; its shape is the tensor's, with 1 in place of N.

    Every element of the value occurs once. pads: zeros around it, (before, after) per axis, () if there are none.
    """

    value: Value
    order: Order
    pads: tuple[tuple[int, int], ...] = ()

    @property
    def shape(self) -> Shape:
        """The tensor's shape in ONNX, with 1 in place of N, without its pads."""
        return tuple(int(n) for n in self.order.shape)

    @property
    def plain(self) -> bool:
        """Whether its elements, one after the other, are the value's."""
        return not self.pads and np.array_equal(self.order.reshape(-1), counting(self.value.size))

    def with_order(self, order: Order) -> Tensor:
        """The same elements in another order or shape."""
        return replace(self, order=order)

    def with_value(self, value: Value) -> Tensor:
        """Another value of the same layout."""
        return replace(self, value=value)

    def to_value(self, constants: NDArray[np.float64]) -> NDArray[np.float64]:
        """Constants that broadcast to the tensor, arranged as the value; ValueError if they would enlarge it."""
        every = np.broadcast_to(constants, self.shape)
        arranged = np.empty(self.value.size)
        arranged[self.order.reshape(-1)] = every.reshape(-1)
        return arranged.reshape(self.value.shape)


def tensor_of(value: Value) -> Tensor:
    """A tensor (N, *shape of the value)."""
    return Tensor(value, counting(value.size).reshape(1, *value.shape))


@lru_cache(maxsize=16)
def counting(size: int) -> Order:
    """0, 1, ..., size - 1, in read-only memory that equal tensors share."""
    numbers = np.arange(size)
    numbers.flags.writeable = False
    return numbers


def shown(tensor: Tensor, *, batched: bool) -> str:
    """The tensor's shape in messages."""
    others = tensor.shape[1:] if batched else tensor.shape
    return f"({', '.join([*(['N'] if batched else []), *map(str, others)])})"
