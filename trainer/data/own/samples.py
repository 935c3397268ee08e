"""What the samples of an array are: images, features, spike trains or series, and how they are read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError
from spikeport.trainer.data.dataset import Request
from spikeport.trainer.data.file_options import Series

from .series import series_spikes

_CHANNELS = (1, 3)


@dataclass(frozen=True)
class Range:
    """Smallest and largest value of each feature of an array; binary: all are 0 or 1."""

    low: NDArray[Any]
    high: NDArray[Any]
    binary: bool

    @property
    def text(self) -> str:
        """For messages."""
        return f"{self.low.min():g} to {self.high.max():g}"


@dataclass(frozen=True)
class Form:
    """How an array's samples are read; fields as of StoredRows.

    steps: of spike trains, None for images and features; series: how real numbers become spikes, None: not needed.
    """

    sample_shape: tuple[int, ...]
    channels_last: bool = False
    scale: tuple[Any, Any] | None = None
    steps: int | None = None
    series: Series | None = None
    rescaled: bool = False

    def arranged(self, values: NDArray[Any]) -> NDArray[Any]:
        """Samples (N, ...) of the array in their final shape."""
        moved = np.moveaxis(values, -1, 1) if self.channels_last else values
        return moved.reshape(len(values), *self.sample_shape)

    def check(self, name: str, dtype: np.dtype[Any], seen: Range, context: str) -> None:
        """Raise InputError unless another array has the same kind of values."""
        if self.rescaled:
            return
        if self.steps is not None and self.series is None:
            if not seen.binary:
                raise InputError(f"{context}: {name} holds {seen.text}, but spike trains hold 0 and 1")
        elif (_is_bytes(dtype) and not seen.binary) if self.scale is None else not _is_bytes(dtype):
            raise InputError(f"{context}: one part holds bytes and the other {dtype}; save both in the same type")
        elif self.scale is None and (seen.low.min() < 0 or seen.high.max() > 1):
            raise InputError(_outside(name, seen, context))


def form_of(
    name: str, shape: tuple[int, ...], dtype: np.dtype[Any], seen: Range, request: Request, context: str
) -> Form:
    """The form of the training part, by type, shape and the recipe's encoding; raises InputError."""
    form = _train_form(name, shape, seen, request, context) if request.encoding == "spikes" else _image_form(shape[1:])
    if form.steps is not None and form.series is None:
        return form
    if request.files.rescale:
        low, high = (form.arranged(values[None])[0].astype(np.float64) for values in (seen.low, seen.high))
        if form.series is not None:
            # a feature has one range at all times
            low, high = low.min(axis=0), high.max(axis=0)
        return replace(form, scale=(low, np.where(high > low, high - low, 1)), rescaled=True)
    # bytes of 0 and 1 alone are those numbers, as in every other type
    form = replace(form, scale=(0, 255) if _is_bytes(dtype) and not seen.binary else None)
    form.check(name, dtype, seen, context)
    return form


def _train_form(name: str, shape: tuple[int, ...], seen: Range, request: Request, context: str) -> Form:
    """Spike trains if all values are 0 or 1, else series."""
    if len(shape) < 3:
        raise InputError(
            f"{context}: {name} has shape {shape}; spike trains and series are (samples, time, ...): use encoding = "
            '"integrate" for samples without time'
        )
    if not seen.binary or request.files.rescale:
        return Form(shape[1:], steps=request.steps or shape[1], series=request.files.series)
    if request.steps not in (None, shape[1]):
        raise InputError(
            f"{context}: spike trains of {name} have {shape[1]} steps; set steps = {shape[1]} in [training]"
        )
    return Form(shape[2:], steps=shape[1])


def _image_form(shape: tuple[int, ...]) -> Form:
    """Images as (C, H, W), features as they are."""
    if len(shape) == 2:
        return Form((1, *shape))
    if len(shape) == 3 and shape[0] not in _CHANNELS and shape[2] in _CHANNELS:
        return Form((shape[2], *shape[:2]), channels_last=True)
    return Form(shape)


def from_memory(values: NDArray[Any], form: Form, context: str) -> NDArray[Any]:
    """The samples of an array in memory: float32 in [0, 1], or spike trains uint8; raises InputError."""
    if form.steps is not None and form.series is None:
        return values.astype(np.uint8)
    arranged = form.arranged(values).astype(np.float32)
    if form.scale is not None:
        low, span = form.scale
        arranged = np.clip((arranged - np.float32(low)) / np.float32(span), 0, 1)
    if form.series is None or form.steps is None:
        return arranged
    return series_spikes(arranged, form.steps, form.series, context)


def _is_bytes(dtype: np.dtype[Any]) -> bool:
    return dtype == np.uint8


def _outside(name: str, seen: Range, context: str) -> str:
    return (
        f"{context}: {name} holds {seen.text}; values are 0 to 1, or bytes (uint8) 0 to 255: scale them, or set "
        "rescale = true in [files]"
    )
