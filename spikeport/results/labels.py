"""Labels that a network's answers are compared with."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from spikeport.common.errors import InputError


def check_labels(labels: NDArray[Any] | None, samples: int, outputs: int | None = None) -> None:
    """Raise InputError for labels, if there are any, that are not one class number per sample.

    outputs: of the network, None: not checked.
    """
    if labels is not None and (labels.shape != (samples,) or labels.dtype.kind not in "iu"):
        raise InputError(
            f"labels have shape {labels.shape} and type {labels.dtype}, but must be {samples} class numbers"
        )
    if outputs is not None and labels is not None and labels.size and not 0 <= labels.min() <= labels.max() < outputs:
        raise InputError(
            f"labels go from {labels.min()} to {labels.max()}, but the network has the outputs 0 to {outputs - 1}; "
            "give the number of an output for each sample"
        )
