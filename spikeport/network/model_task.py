"""What a model of one's own is asked for: the answers of its first output, the metric of labels, and their names.

Without torch, so that reports need no training. The tasks are those of trainer/tasks/registry.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.common.errors import InputError, check_choice
from spikeport.exporter.program.chip_program import ChipProgram
from spikeport.trainer.tasks import answers
from spikeport.trainer.tasks.metrics import ACCURACY, F1, RMSE, Metric

Array = NDArray[Any]

# real numbers are the same answer if they are apart by at most this share of the largest
_APART = 0.01


@dataclass(frozen=True)
class ModelTask:
    """A task by name; answer: from an output (T, N, outputs); words: what two networks have in common.

    metric: of answers and labels, None where a single output is asked for nothing that labels could tell.
    """

    name: str
    answer: Callable[[Array], Array]
    words: str
    metric: Metric | None = ACCURACY
    voltages: bool = False

    def same(self, chip: Array, wanted: Array) -> NDArray[np.bool_]:
        """Whether each sample has the same answer, for two outputs (T, N, outputs); numbers within 1 %."""
        first, second = self.answer(chip), self.answer(wanted)
        if self.metric is RMSE:
            equal = np.abs(first - second) <= _APART * float(np.abs(second).max(initial=0))
        else:
            equal = first == second
        return np.asarray(equal.reshape(len(equal), -1).all(axis=1))

    def check_labels(self, labels: Array, samples: int, outputs: int) -> Array:
        """The labels in the shape of the answers; raises InputError for those that do not fit."""
        if self.metric is None:
            raise InputError(
                "labels: the network has one output, which wins for every sample; give --task multi_label, regression "
                "or series with labels of that kind"
            )
        if self.metric is ACCURACY:
            self._check_classes(labels, samples)
            if labels.size and not 0 <= labels.min() <= labels.max() < outputs:
                raise InputError(
                    f"labels go from {labels.min()} to {labels.max()}, but the network has the outputs 0 to "
                    f"{outputs - 1}; give the number of an output for each sample"
                )
            return labels
        dimensions = 3 if self.name == "series" else 2
        shaped = labels[..., None] if outputs == 1 and labels.ndim == dimensions - 1 else labels
        if shaped.ndim != dimensions or len(shaped) != samples or shaped.shape[-1] != outputs:
            raise InputError(
                f"labels have shape {labels.shape}, but task {self.name} takes "
                f"({samples}, {'steps, ' if dimensions == 3 else ''}{outputs})"
            )
        if shaped.dtype.kind not in "iufb" or not np.isfinite(shaped).all():
            raise InputError(f"labels of task {self.name} are finite numbers; these are not, check the file")
        if self.metric is F1 and not np.isin(shaped, (0, 1)).all():
            raise InputError(
                f"labels of task {self.name} are 0 or 1 for each output, not {shaped[~np.isin(shaped, (0, 1))][0]:g}"
            )
        return shaped

    def _check_classes(self, labels: Array, samples: int) -> None:
        each_step = self.name == "per_step"
        shaped = labels.ndim == 2 if each_step else labels.ndim == 1
        if not shaped or len(labels) != samples or labels.dtype.kind not in "iu":
            wanted = f"({samples}, steps) class numbers" if each_step else f"{samples} class numbers"
            raise InputError(f"labels have shape {labels.shape} and type {labels.dtype}, but must be {wanted}")

    def score(self, output: Array, labels: Array) -> float:
        """The metric of an output (T, N, outputs); raises InputError for labels of another number of steps."""
        given = self.answer(output)
        if given.shape != labels.shape:
            raise InputError(f"labels have shape {labels.shape}, but the answers have {given.shape}; give one for each")
        assert self.metric is not None
        return self.metric.measure(given, labels)


def _count(output: Array) -> Array:
    return np.asarray(output.sum(axis=0))


WINNER = ModelTask("spike_count", answers.most_spikes, "winner")
_TASKS = {
    task.name: task
    for task in (
        WINNER,
        ModelTask("first_spike", answers.first_to_spike, "first to spike"),
        ModelTask("membrane", answers.highest_voltage, "winner", voltages=True),
        ModelTask("regression", answers.last_voltages, "value within 1 %", RMSE, voltages=True),
        ModelTask("series", answers.all_voltages, "values within 1 %", RMSE, voltages=True),
        ModelTask("per_step", answers.highest_each_step, "winner in every step", voltages=True),
        ModelTask("multi_label", answers.fires_half_the_steps, "labels", F1),
    )
}
TASK_NAMES = tuple(_TASKS)


def model_task(name: str | None, program: ChipProgram) -> ModelTask:
    """The task of a name; None: the winner, of a single output its spike count or last voltage. Raises InputError."""
    output = program.population(program.outputs[0])
    voltages = output.payload_shift is not None
    if name is None:
        if output.size > 1:
            return WINNER
        return _TASKS["regression"] if voltages else ModelTask("spike_count", _count, "spike count", None)
    check_choice("task", name, TASK_NAMES)
    task = _TASKS[name]
    if task.voltages and not voltages:
        raise InputError(
            f"task {name} reads voltages, but the output {output.name!r} sends spikes; choose another task"
        )
    return task
