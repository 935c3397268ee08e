"""The single input of an ONNX graph: its shape, its batch axis, and the layout in which the network takes it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from spikeport.common.errors import InputError

from .operators.tensor import Order, Tensor, counting
from .operators.values import Shape

# most numbers of an input: a file with more is damaged
LARGEST_INPUT = 1 << 24


@dataclass(frozen=True)
class GraphInput:
    """An input of ONNX shape `given`, whose first axis counts samples if `batched`; a free batch is None there.

    layout: the network's element -> its position in a sample, in the shape (1, *shape that the network takes); None as
    given.
    """

    name: str
    given: tuple[int | None, ...]
    batched: bool = True
    layout: Order | None = None

    @property
    def shape(self) -> Shape:
        """A sample's shape: without the batch, or without a first axis of length 1 if the graph has no batch."""
        return tuple(n for n in self.given[1 if self._has_first() else 0 :] if n is not None)

    @property
    def batch(self) -> int | None:
        """The number of samples that the graph takes at once, None if free."""
        return self.given[0] if self.batched else 1

    @property
    def network_shape(self) -> Shape:
        """The shape of a sample as the network takes it: a vector or an image."""
        if self.layout is not None:
            return tuple(int(n) for n in self.layout.shape[1:])
        return self.shape if len(self.shape) in (1, 3) else (math.prod(self.shape),)

    @property
    def moved(self) -> bool:
        """Whether the network takes a sample's numbers in another order."""
        return self.layout is not None and not np.array_equal(self.layout.reshape(-1), counting(self.layout.size))

    @property
    def sample_shape(self) -> Shape:
        """The shape of a sample for the program: as given, or the network's if the order is another."""
        return self.network_shape if self.moved else self.shape

    def fed(self, count: int) -> Shape:
        """The shape of ONNX's input for `count` samples."""
        return (count, *self.shape) if self.batched else tuple(n or 1 for n in self.given)

    def arranged(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Samples (N, *shape) as the program takes them, (N, *sample_shape)."""
        if not self.moved or self.layout is None:
            return x
        return np.ascontiguousarray(
            x.reshape(len(x), -1)[:, self.layout.reshape(-1)].reshape(len(x), *self.sample_shape)
        )

    def tensor(self, value_of_input: Tensor) -> Tensor:
        """The input as ONNX names its axes, from the network's own."""
        size = math.prod(self.shape)
        order = counting(size) if self.layout is None else np.argsort(self.layout.reshape(-1))
        first = [1] if self.batched else [] if len(self.shape) == len(self.given) else [1]
        return value_of_input.with_order(order.reshape(*first, *self.shape))

    def _has_first(self) -> bool:
        return self.batched or (self.given[:1] == (1,) and len(self.given) > 1)


def graph_input(model: onnx.ModelProto, context: str) -> GraphInput:
    """The single input, whose first axis counts samples if it has two or more; raises InputError."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1:
        raise InputError(f"{context}: has {len(inputs)} inputs; only one can be converted")
    tensor = inputs[0].type.tensor_type
    if tensor.elem_type != onnx.TensorProto.FLOAT:
        raise InputError(
            f"{context}: its input {inputs[0].name!r} is not of type float32, float64 or float16; export it with "
            "float32 input"
        )
    # a free length has a name, nothing, 0 or -1
    given = tuple(int(d.dim_value) if d.dim_value > 0 else None for d in tensor.shape.dim)
    others = given[1:] if len(given) > 1 else given
    numbers = [n for n in others if n is not None]
    if not 0 < len(others) < 5 or len(numbers) < len(others) or min(numbers) < 1 or math.prod(numbers) > LARGEST_INPUT:
        named = ", ".join(d.dim_param or str(d.dim_value) for d in list(tensor.shape.dim)[1:])
        raise InputError(
            f"{context}: its input has shape (N, {named}), but must be (N, features), (N, channels, height, width) or "
            "another shape of up to four axes behind N, in numbers; export it for one size of input"
        )
    return GraphInput(str(inputs[0].name), given, batched=len(given) > 1)
