"""Metrics: how good answers are, with unit and direction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Metric:
    """A number for answers and targets of the same shape.

    unit: "share" for a share from 0 to 1, "targets" for the unit of the targets, "" for a plain number.
    """

    name: str
    unit: str
    more_is_better: bool
    measure: Callable[[Array, Array], float]


def accuracy(answers: Array, targets: Array) -> float:
    """Share of equal entries: of the samples, or of the steps of all samples."""
    return float(np.mean(answers == targets))


def exact_match(answers: Array, targets: Array) -> float:
    """Share of samples with every label right (subset accuracy)."""
    return float(np.mean((answers == targets).all(axis=1)))


def f1(answers: Array, targets: Array) -> float:
    """Micro-averaged F1 = 2 TP / (2 TP + FP + FN) over all labels of all samples; 1 where nothing is to be found.

    Source: van Rijsbergen, Information Retrieval, 2nd edition, 1979; scikit-learn's f1_score(average="micro").
    """
    answers, targets = answers != 0, targets != 0
    right, wrong = int((answers & targets).sum()), int((answers != targets).sum())
    return 1.0 if right + wrong == 0 else 2 * right / (2 * right + wrong)


def rmse(answers: Array, targets: Array) -> float:
    """Root of the mean squared error over all entries, in units of the targets."""
    return float(np.sqrt(np.mean(np.square(np.asarray(answers, np.float64) - targets))))


def mae(answers: Array, targets: Array) -> float:
    """Mean absolute error over all entries, in units of the targets."""
    return float(np.mean(np.abs(np.asarray(answers, np.float64) - targets)))


def r2(answers: Array, targets: Array) -> float:
    """Coefficient of determination 1 - SSE / SST over all entries, SST from each output's mean; 0 where SST is 0."""
    answers, targets = np.asarray(answers, np.float64), np.asarray(targets, np.float64)
    rest = np.square(targets - targets.reshape(-1, targets.shape[-1]).mean(axis=0)).sum()
    return 0.0 if rest == 0 else float(1 - np.square(answers - targets).sum() / rest)


ACCURACY = Metric("accuracy", "share", True, accuracy)
EXACT_MATCH = Metric("exact_match", "share", True, exact_match)
F1 = Metric("f1", "share", True, f1)
RMSE = Metric("rmse", "targets", False, rmse)
MAE = Metric("mae", "targets", False, mae)
R2 = Metric("r2", "", True, r2)
SHARES = tuple(metric.name for metric in (ACCURACY, EXACT_MATCH, F1, RMSE, MAE, R2) if metric.unit == "share")
"""Metrics from 0 to 1."""
