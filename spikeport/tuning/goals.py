"""What labels ask of a network's output while it is tuned: a task by name, its loss and its score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikeport.common.errors import InputError
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.network.model_task import WINNER, ModelTask, model_task
from spikeport.trainer.tasks.metrics import ACCURACY
from spikeport.trainer.tasks.registry import get_task
from spikeport.trainer.tasks.task import Loss

from .targets import check_labels, label_loss, voltage_loss


@dataclass(frozen=True)
class Goal:
    """The answers that are read off the output, and their loss; `loss` None: the cross entropy of the output's sums.

    Outputs are (T, B, outputs), spikes or voltages in the network's units.
    """

    task: ModelTask = WINNER
    loss: Loss | None = None

    @property
    def has_classes(self) -> bool:
        """Whether labels are classes, of a sample or of each step."""
        return self.task.metric is ACCURACY

    def checked(self, labels: NDArray[Any], samples: int, outputs: int, context: str) -> NDArray[Any]:
        """The labels in the type that the loss takes; raises InputError for those that do not fit."""
        if self.has_classes and self.task.name != "per_step":
            return check_labels(labels, samples, outputs, context)
        try:
            given = self.task.check_labels(labels, samples, outputs)
        except InputError as error:
            raise InputError(f"{context}: {error}") from error
        return given.astype(np.int64 if self.has_classes else np.float32)

    def cost(self, output: Tensor, labels: NDArray[Any], voltages: bool) -> Tensor:
        """The loss of labels (B, ...), a scalar; voltages: whether the output sends those."""
        wanted = torch.from_numpy(np.ascontiguousarray(labels)).to(output.device)
        if self.loss is not None:
            return self.loss(output, wanted)
        sums = output.sum(0)
        return voltage_loss(sums, wanted) if voltages else label_loss(sums, wanted, len(output))

    def score(self, output: NDArray[Any], wanted: NDArray[Any], labels: NDArray[Any] | None) -> float:
        """The metric of the labels; without them the share of samples with the answer of the output `wanted`."""
        if labels is None:
            return float(np.mean(self.task.same(output, wanted)))
        return self.task.score(output, labels)

    @property
    def metric(self) -> str:
        """The name of the metric of labels."""
        return "" if self.task.metric is None else self.task.metric.name

    @property
    def sign(self) -> int:
        """1 where a larger metric is better, else -1."""
        return 1 if self.task.metric is None or self.task.metric.more_is_better else -1


def goal_of(name: str | None, program: ChipProgram) -> Goal:
    """The goal of a task by name; None: the winner, of a single voltage its last value. Raises InputError."""
    task = model_task(name, program)
    chosen = name is not None or (task.metric is not None and not task.metric.more_is_better)
    return Goal(task, get_task(task.name).loss("")[1] if chosen else None)
