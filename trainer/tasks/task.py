"""A task: which targets it takes, what of the output is read, and the losses, the answer and the metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spikeport.common.errors import InputError
from spikeport.trainer.data.dataset import Dataset, Samples
from spikeport.trainer.data.targets import TARGET_WORDS, Targets
from spikeport.trainer.settings.lookup import lookup

from .metrics import Metric

Readout = Literal["spikes", "membrane"]
Loss = Callable[[Tensor, Tensor], Tensor]
"""(output (T, B, outputs), targets (B, ...)) -> the mean over the samples, a scalar."""
Answer = Callable[[NDArray[Any]], NDArray[Any]]
"""output (T, N, outputs) -> answers (N, ...)."""


@dataclass(frozen=True)
class Task:
    """A task; its output is (steps, samples, outputs): spikes, or voltages of leaky integrators.

    targets: the kind that it takes (trainer/data/targets.py); readout: what the output layer sends, "spikes" or its
    voltage ("membrane"); losses, metrics: by name, the first is the default; answer: from the output, the same for the
    network in training and on the chip; twin_loss, twin_answer: for the ANN twin's logits (N, outputs). Where each step
    has a target of its own, the twin sees each step alone, as a sample.
    """

    name: str
    targets: Targets
    readout: Readout
    losses: Mapping[str, Loss]
    metrics: Mapping[str, Metric]
    answer: Answer
    twin_loss: Loss
    twin_answer: Answer

    @property
    def each_step(self) -> bool:
        """Whether every step has a target of its own."""
        return self.targets in ("class_per_step", "series")

    def loss(self, name: str) -> tuple[str, Loss]:
        """A loss by name, the default one for ""; raises InputError for one that the task does not have."""
        return _entry(f"loss of task {self.name!r}", name, self.losses)

    def metric(self, name: str) -> Metric:
        """A metric by name, the default one for ""; raises InputError for one that the task does not have."""
        metric: Metric = _entry(f"metric of task {self.name!r}", name, self.metrics)[1]
        return metric

    def check(self, data: Dataset) -> None:
        """Raise InputError for a data set whose targets are of another kind."""
        if data.targets != self.targets:
            raise InputError(
                f"task {self.name!r} needs {TARGET_WORDS[self.targets]}, but data set {data.name!r} has "
                f"{TARGET_WORDS[data.targets]}; choose a task that fits them"
            )

    def twin_input(self, data: Dataset, x: Samples) -> NDArray[np.float32]:
        """Samples as the ANN twin sees them, without time; where each step has a target, every step on its own."""
        if not self.each_step:
            return data.still(x)
        return np.asarray(x[:], np.float32).reshape(-1, *data.input_shape)

    def twin_targets(self, y: NDArray[Any]) -> NDArray[Any]:
        """Targets of what `twin_input` returns."""
        return y.reshape(-1, *y.shape[2:]) if self.each_step else y

    def twin_score(self, metric: Metric, logits: NDArray[Any], y: NDArray[Any]) -> float:
        """The metric of the twin's logits for all of `twin_input`."""
        answers = self.twin_answer(logits)
        return metric.measure(answers.reshape(y.shape) if self.each_step else answers, y)


def _entry(kind: str, name: str, entries: Mapping[str, Any]) -> tuple[str, Any]:
    name = name or next(iter(entries))
    return name, lookup(kind, name, entries)
