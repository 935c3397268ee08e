"""The task's metric in a point of a sweep: under its name, and described unless it is the accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from spikeport.common.errors import InputError
from spikeport.summary import Metric

if TYPE_CHECKING:
    from spikeport.trainer.tasks.metrics import Metric as Measured


def scored(metric: Measured, value: float) -> dict[str, Any]:
    """The fields of a point for a value of a metric."""
    if metric.name == "accuracy":
        return {"accuracy": value}
    return {metric.name: value, "metric": Metric.of(metric).to_dict()}


def metric_of(rows: Sequence[dict[str, Any]]) -> Metric:
    """The metric of all points that were measured; raises InputError if they differ."""
    metrics = {Metric(**row["metric"]) if "metric" in row else Metric() for row in rows if "error" not in row}
    check_one_metric(metric.name for metric in metrics)
    return next(iter(metrics), Metric())


def check_one_metric(names: Iterable[str]) -> None:
    """Raise InputError for points of different metrics."""
    different = sorted(set(names))
    if len(different) > 1:
        listed = ", ".join(different)
        raise InputError(f"the points have different metrics ({listed}), which cannot be compared; sweep one at a time")
