"""Answers from an output (T, N, outputs), spikes or voltages, in NumPy: the same for training and chip."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Outputs = NDArray[np.float64]


def most_spikes(output: Outputs) -> NDArray[np.int64]:
    """The output with the most spikes, (N,), the first of equals."""
    return np.asarray(output.sum(axis=0).argmax(axis=1), np.int64)


def first_to_spike(output: Outputs) -> NDArray[np.int64]:
    """The output that spikes first, (N,), the first of equals; 0 where none does."""
    fired = output > 0
    first = np.where(fired.any(axis=0), fired.argmax(axis=0), len(output))
    return np.asarray(first.argmin(axis=1), np.int64)


def highest_voltage(output: Outputs) -> NDArray[np.int64]:
    """The output whose largest voltage over the steps is the highest, (N,)."""
    return np.asarray(output.max(axis=0).argmax(axis=1), np.int64)


def highest_each_step(output: Outputs) -> NDArray[np.int64]:
    """The output with the highest voltage in each step, (N, T)."""
    return np.asarray(output.argmax(axis=2).T, np.int64)


def last_voltages(output: Outputs) -> Outputs:
    """The voltages of the last step, (N, outputs)."""
    return np.asarray(output[-1], np.float64)


def all_voltages(output: Outputs) -> Outputs:
    """The voltages of every step, (N, T, outputs)."""
    return np.ascontiguousarray(output.swapaxes(0, 1))


def fires_half_the_steps(output: Outputs) -> NDArray[Any]:
    """Labels (N, outputs): 1 for an output that fires in more than half the steps."""
    return np.asarray(output.sum(axis=0) > len(output) / 2, np.float32)


def largest_logit(logits: NDArray[Any]) -> NDArray[np.int64]:
    """The ANN's class: the largest of its logits (..., outputs)."""
    return np.asarray(logits.argmax(axis=-1), np.int64)


def above_zero(logits: NDArray[Any]) -> NDArray[Any]:
    """The ANN's labels: 1 for a logit above 0."""
    return np.asarray(logits > 0, np.float32)


def as_they_are(logits: NDArray[Any]) -> NDArray[Any]:
    """The ANN's values."""
    return logits
