"""What a sample's target may be: a class, a class in each step, several labels, real values, or a series of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError

Targets = Literal["class", "class_per_step", "labels", "values", "series"]
"""class: int64 (N,). class_per_step: int64 (N, steps). labels: float32 (N, outputs) of 0 and 1.
values: float32 (N, outputs). series: float32 (N, steps, outputs)."""

TARGET_WORDS: Mapping[Targets, str] = {
    "class": "one class per sample",
    "class_per_step": "a class in each step",
    "labels": "several labels per sample, 0 or 1 each",
    "values": "real values per sample",
    "series": "real values in each step",
}


def check_targets(kind: Targets, y: NDArray[Any], outputs: int, steps: int | None, context: str) -> None:
    """Raise InputError for targets of another shape or with values that their kind does not have.

    outputs: number of classes, labels or values; steps: of the samples, None without time; context: data set and part.
    """
    shapes: dict[str, tuple[int | None, ...]] = {
        "class": (), "class_per_step": (steps,), "labels": (outputs,), "values": (outputs,), "series": (steps, outputs),
    }  # fmt: skip
    if kind not in shapes:
        raise InputError(f"{context}: targets are one of {', '.join(shapes)}, not {kind!r}")
    words, shape = TARGET_WORDS[kind], shapes[kind]
    if None in shape:
        raise InputError(f"{context}: its targets are {words}, but its samples have no steps; give spike trains")
    if y.shape[1:] != shape:
        expected = f"({', '.join(map(str, ('samples', *shape)))})"
        raise InputError(f"{context}: has targets of shape {y.shape}, but the shape for {words} is {expected}")
    if kind in ("class", "class_per_step"):
        if y.dtype.kind not in "iu":
            raise InputError(
                f"{context} has labels of type {y.dtype}, but classes are whole numbers from 0; give y.astype(int)"
            )
        if y.min() < 0 or y.max() >= outputs:
            raise InputError(f"{context} has labels outside 0 to {outputs - 1}")
        return
    if y.dtype.kind not in "biuf":
        raise InputError(f"{context}: has targets of type {y.dtype}, but {words} are numbers; give y.astype(float)")
    finite = np.isfinite(y.reshape(len(y), -1)).all(axis=1)
    if not finite.all():
        raise InputError(
            f"{context}: the target of sample {int(finite.argmin())} is NaN or infinite; repair or remove it"
        )
    if kind == "labels" and not np.isin(y, (0, 1)).all():
        raise InputError(f"{context}: labels are 0 or 1 each, not {y[~np.isin(y, (0, 1))][0]:g}")
