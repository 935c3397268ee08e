"""The confusion matrix of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Count, Model

# of more classes, only the names are written
MOST_CLASSES = 100


class Confusion(Model):
    """Test samples by class and by the chip's answer: counts[true][answer], in the order of the classes' names."""

    classes: tuple[str, ...]
    counts: tuple[tuple[Count, ...], ...] = ()

    @classmethod
    def of(cls, labels: NDArray[Any], answers: NDArray[Any], names: Sequence[str]) -> Confusion:
        """From labels and answers (N,), numbers of the classes 0 .. K - 1."""
        size = len(names)
        if size > MOST_CLASSES:
            return cls(classes=tuple(names))
        counts = np.bincount(labels * size + answers, minlength=size * size).reshape(size, size)
        return cls(classes=tuple(names), counts=tuple(tuple(row) for row in counts.tolist()))
