"""Labels that a network's answers are compared with."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from spikeport.common.errors import InputError


def check_labels(labels: NDArray[Any] | None, samples: int) -> None:
    """Raise InputError for labels, if there are any, that are not one class number per sample."""
    if labels is not None and (labels.shape != (samples,) or labels.dtype.kind not in "iu"):
        raise InputError(
            f"labels have shape {labels.shape} and type {labels.dtype}, but must be {samples} class numbers"
        )
