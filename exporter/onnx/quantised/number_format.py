"""Integers of quantised models and the numbers that they represent: (integer - zero point) * scale.

Source: the ONNX operator schemas of QuantizeLinear and DequantizeLinear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError

Array = NDArray[np.generic]
Floats = NDArray[np.float64]
# integer types of quantised signals and weights
_LIMITS = {
    name: (int(np.iinfo(name).min), int(np.iinfo(name).max)) for name in ("int8", "uint8", "int16", "uint16", "int32")
} | {"int4": (-8, 7), "uint4": (0, 15)}


@dataclass(frozen=True)
class NumberFormat:
    """A signal's integers: one scale, one zero point, and the range of their type."""

    scale: float
    zero_point: int
    low: int
    high: int

    @property
    def lower(self) -> float:
        """The lowest number that an integer represents."""
        return (self.low - self.zero_point) * self.scale

    @property
    def upper(self) -> float:
        """The highest number that an integer represents."""
        return (self.high - self.zero_point) * self.scale


def number_format(scale: Array, zero_point: Array | None, label: str) -> NumberFormat:
    """The format of a signal; raises InputError for several scales, or a type without integers."""
    zero = np.zeros((), np.uint8) if zero_point is None else zero_point
    low, high = limits(zero, label)
    if scale.size != 1 or zero.size != 1:
        raise InputError(f"{label}: has a scale per channel of a signal; quantise the network's signals per tensor")
    return NumberFormat(checked_scale(scale, label).item(), int(zero.reshape(()).item()), low, high)


def limits(integers: Array, label: str) -> tuple[int, int]:
    """The range of an integer type; raises InputError for another type."""
    if integers.dtype.name not in _LIMITS:
        raise InputError(f"{label}: holds {integers.dtype.name}; quantise the network to int8 or uint8")
    return _LIMITS[integers.dtype.name]


def checked_scale(scale: Array, label: str) -> Floats:
    """The scale as float64; raises InputError unless it is positive and finite."""
    values = np.asarray(scale, np.float64)
    if not np.isfinite(values).all() or not np.all(values > 0):
        raise InputError(f"{label}: has a scale that is not a positive number; quantise the network again")
    return values


def dequantised(integers: Array, scale: Array, zero_point: Array | None, axis: int, label: str) -> NDArray[np.float32]:
    """(integers - zero point) * scale, with one scale or one for each element along `axis`."""
    limits(integers, label)
    zero = np.zeros((), np.int64) if zero_point is None else np.asarray(zero_point, np.int64)
    whole = np.asarray(integers, np.int64)
    numbers = (whole - _along(zero, whole, axis, label)) * _along(checked_scale(scale, label), whole, axis, label)
    return np.asarray(numbers, np.float32)


def quantised(values: Array, scale: Array, zero_point: Array | None, axis: int, label: str) -> Array:
    """rint(values / scale) + zero point, limited to the zero point's type; ties to even."""
    zero = np.zeros((), np.uint8) if zero_point is None else zero_point
    low, high = limits(zero, label)
    floats = np.asarray(values, np.float32)
    ratio = floats / np.asarray(_along(checked_scale(scale, label), floats, axis, label), np.float32)
    integers = np.rint(ratio) + _along(np.asarray(zero, np.int64), floats, axis, label)
    return np.asarray(np.clip(integers, low, high), zero.dtype)


def _along(each: NDArray[Any], values: NDArray[Any], axis: int, label: str) -> NDArray[Any]:
    """One number, or one per element of an axis, ready to broadcast against the values."""
    if each.size == 1:
        return each.reshape(())
    if not -values.ndim <= axis < values.ndim or each.shape != (values.shape[axis],):
        raise InputError(
            f"{label}: has scales of shape {each.shape} for weights {values.shape} along axis {axis}; quantise per "
            "tensor or per channel"
        )
    shape = [1] * values.ndim
    shape[axis] = -1
    return each.reshape(shape)
