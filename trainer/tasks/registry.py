"""The tasks by name, and what a recipe's task, loss and metric stand for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from spikeport.common.errors import InputError
from spikeport.common.plugins import Registry
from spikeport.trainer.loop.train_config import TrainConfig
from spikeport.trainer.settings.lookup import lookup

from . import answers, losses
from .metrics import ACCURACY, EXACT_MATCH, F1, MAE, R2, RMSE, Metric
from .task import Loss, Task


def _named(*functions: Callable[..., Any]) -> dict[str, Any]:
    return {function.__name__: function for function in functions}


def _metrics(*metrics: Metric) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


_VALUES = _named(losses.mse_membrane, losses.l1_membrane)
_ERRORS = _metrics(RMSE, MAE, R2)

_TASKS = (
    Task(
        "spike_count", "class", "spikes", _named(losses.ce_count, losses.mse_count, losses.ce_rate),
        _metrics(ACCURACY), answers.most_spikes, cross_entropy, answers.largest_logit,
    ),
    Task(
        "first_spike", "class", "spikes", _named(losses.ce_temporal, losses.mse_temporal),
        _metrics(ACCURACY), answers.first_to_spike, cross_entropy, answers.largest_logit,
    ),
    Task(
        "membrane", "class", "membrane", _named(losses.ce_max_membrane),
        _metrics(ACCURACY), answers.highest_voltage, cross_entropy, answers.largest_logit,
    ),
    Task(
        "regression", "values", "membrane", _VALUES, _ERRORS, answers.last_voltages, mse_loss, answers.as_they_are,
    ),
    Task("series", "series", "membrane", _VALUES, _ERRORS, answers.all_voltages, mse_loss, answers.as_they_are),
    Task(
        "per_step", "class_per_step", "membrane", _named(losses.ce_membrane),
        _metrics(ACCURACY), answers.highest_each_step, cross_entropy, answers.largest_logit,
    ),
    Task(
        "multi_label", "labels", "spikes", _named(losses.bce_count, losses.mse_count),
        _metrics(F1, EXACT_MATCH), answers.fires_half_the_steps, binary_cross_entropy_with_logits, answers.above_zero,
    ),
)  # fmt: skip
TASKS: dict[str, Task] = {task.name: task for task in _TASKS}
"""The tasks of this project, in the order of docs/tasks.md; the first is the default."""


def _as_task(name: str, loaded: object) -> Task:
    if not isinstance(loaded, Task) or loaded.name != name:
        raise InputError(f"must be a spikeport.trainer.tasks.task.Task with name = {name!r}")
    return loaded


ALL_TASKS: Registry[Task] = Registry("spikeport.tasks", TASKS, _as_task)
"""These and those of installed packages."""


@dataclass(frozen=True)
class Objective:
    """A task with the loss and the metric that were chosen; loss_name: the loss's."""

    task: Task
    loss_name: str
    loss: Loss
    metric: Metric

    @property
    def counts_spikes(self) -> bool:
        """Whether the loss is that of `Method.loss`, which methods with a loss of their own replace."""
        return (self.task.name, self.loss_name) == ("spike_count", "ce_count")


def get_task(name: str) -> Task:
    """The task of that name; raises InputError for an unknown one."""
    return lookup("task", name, ALL_TASKS)


def objective_of(training: TrainConfig) -> Objective:
    """The task, loss and metric that a recipe names; raises InputError for a name that does not exist."""
    task = get_task(training.task)
    name, loss = task.loss(training.loss)
    return Objective(task, name, loss, task.metric(training.metric))
