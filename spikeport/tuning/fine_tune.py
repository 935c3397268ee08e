"""The loop of fine-tuning: Adam on the module's parameters, the best of all epochs on samples that are held out."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spikeport.common.accelerator import torch_device
from spikeport.common.errors import InputError
from spikeport.common.limits import MOST_STEPS
from spikeport.exporter.trainable.module import ChipModule
from spikeport.trainer.loop.train_config import LARGEST_SEED

from .sparsity import Pruning, spike_penalty
from .targets import Teacher, label_loss, teacher_loss, voltage_loss

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class TuneSettings:
    """How to tune. learning_rate: of each parameter, times the root mean square of its values.

    held_out: the fraction of the samples that choose the best epoch and are not trained on. exponents: at most for each
    synapse and sign; each is a connection of its own. sparsity: weight of the spikes per step and neuron beyond
    target_rate in the loss; above 0, the loss alone chooses the best epoch. pruned: the fraction of every synapse's
    weights that end as 0. teacher: weight of the float network's answers in the loss, where there are labels. device:
    "cpu", "cuda" (a GPU) or "auto". Raises InputError.
    """

    epochs: int = 20
    batch: int = 32
    learning_rate: float = 0.0015
    held_out: float = 0.2
    seed: int = 0
    exponents: int = 6
    sparsity: float = 0.0
    target_rate: float = 0.0
    pruned: float = 0.0
    teacher: float = 0.0
    device: str = "cpu"

    def __post_init__(self) -> None:
        torch_device(self.device)
        if self.epochs < 0 or self.batch < 1:
            raise InputError(f"epochs are at least 0 and batch at least 1, not {self.epochs} and {self.batch}")
        if max(self.epochs, self.batch) > MOST_STEPS:
            raise InputError(f"epochs and batch are at most {MOST_STEPS:,}, not {self.epochs} and {self.batch}")
        if self.exponents < 1:
            raise InputError(f"exponents are at least 1, not {self.exponents}")
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"the learning rate is a positive number, not {self.learning_rate}")
        if not 0 <= self.sparsity < math.inf:
            raise InputError(f"the weight of sparsity is at least 0, not {self.sparsity}")
        if not 0 <= self.teacher < math.inf:
            raise InputError(f"the weight of the teacher is at least 0, not {self.teacher}")
        if not 0 <= self.target_rate <= 1:
            raise InputError(f"the target rate is between 0 and 1 spikes per step, not {self.target_rate}")
        if not 0 <= self.pruned < 1:
            raise InputError(f"the pruned fraction is at least 0 and below 1, not {self.pruned}")
        if self.target_rate and not self.sparsity:
            raise InputError(f"the target rate {self.target_rate} has no effect without sparsity; give both")
        if self.pruned and not self.epochs:
            raise InputError("weights are pruned from epoch to epoch; give at least one epoch")
        if self.sparsity and not self.epochs:
            raise InputError("spikes become fewer by training; give sparsity at least one epoch")
        if not 0 <= self.seed <= LARGEST_SEED:
            raise InputError(f"the seed is a whole number from 0 to {LARGEST_SEED}, not {self.seed}")
        if not 0 < self.held_out < 1:
            raise InputError(f"the held-out fraction is between 0 and 1, not {self.held_out}")


@dataclass(frozen=True)
class Task:
    """Inputs (T, N, *shape) by name, the output's population, and what it should answer.

    labels: (N,), None where the teacher's answers are wanted.
    """

    inputs: Mapping[str, NDArray[Any]]
    output: str
    teacher: Teacher
    labels: NDArray[np.int64] | None

    @property
    def samples(self) -> int:
        """Number of samples."""
        return next(iter(self.inputs.values())).shape[1]

    @property
    def steps(self) -> int:
        """Time steps of the input."""
        return next(iter(self.inputs.values())).shape[0]

    @property
    def answers(self) -> NDArray[Any]:
        """The class that each sample should get, (N,)."""
        return self.teacher.winners if self.labels is None else self.labels

    def batch(self, selected: NDArray[np.intp], device: torch.device) -> dict[str, torch.Tensor]:
        """The inputs of some samples."""
        return {
            name: torch.from_numpy(np.ascontiguousarray(values[:, selected])).to(device).float()
            for name, values in self.inputs.items()
        }


def fine_tune(module: ChipModule, task: Task, settings: TuneSettings, progress: Progress | None = None) -> list[float]:
    """Train the module in place and leave it with its best parameters; returns the held-out score of every epoch.

    The score is the fraction of held-out samples with the wanted answer; of equal ones, the lower loss. The first one
    is that of the parameters as they were. Deterministic for a seed. Where weights are pruned, only epochs in which all
    of them are 0 can be the best.
    """
    generator = np.random.default_rng(settings.seed)
    held_out = held_out_samples(task.samples, settings)
    trained_on = np.setdiff1d(np.arange(task.samples), held_out)
    groups: list[dict[str, Any]] = [
        {"params": [p], "lr": settings.learning_rate * max(float(p.detach().square().mean().sqrt()), 1e-6)}
        for p in module.parameters()
    ]
    optimiser = torch.optim.Adam(groups, betas=(0.9, 0.99))
    batches = -(-len(trained_on) // settings.batch)
    total = settings.epochs * batches
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [g["lr"] for g in groups], total_steps=total + 1, pct_start=0.1, cycle_momentum=False
    )
    first = score(module, task, held_out, settings)
    best, scores, kept = first, [first[0]], copy.deepcopy(module.state_dict())
    pruning = Pruning(module, settings.pruned, settings.epochs)
    if settings.pruned:
        best = (-1.0, -math.inf)
    for epoch in range(settings.epochs):
        pruning.start_epoch(epoch)
        shuffled = generator.permutation(trained_on)
        for number in range(batches):
            selected = shuffled[number * settings.batch : (number + 1) * settings.batch]
            loss = _loss(module, task, selected, settings)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(module.parameters(), 10.0)
            optimiser.step()
            pruning.apply()
            schedule.step()
            if progress is not None:
                progress(epoch * batches + number + 1, total)
        now = score(module, task, held_out, settings)
        scores.append(now[0])
        better = now[1] >= best[1] if settings.sparsity else now >= best
        if better and pruning.is_done(epoch):
            best, kept = now, copy.deepcopy(module.state_dict())
    module.load_state_dict(kept)
    return scores


def held_out_samples(samples: int, settings: TuneSettings) -> NDArray[np.intp]:
    """The samples that are not trained on, by the seed; raises InputError if there are too few."""
    if samples < 2:
        raise InputError("tuning takes at least two samples, one to train on and one to measure; give more data")
    order = np.random.default_rng(settings.seed).permutation(samples)
    return np.sort(order[: max(1, int(settings.held_out * samples))])


def score(module: ChipModule, task: Task, selected: NDArray[np.intp], settings: TuneSettings) -> tuple[float, float]:
    """The fraction of the selected samples with the wanted answer, and minus the loss."""
    right, loss, batch = 0, 0.0, settings.batch
    with torch.no_grad():
        for first in range(0, len(selected), batch):
            part = selected[first : first + batch]
            sent = module.run(task.batch(part, _device(module)))
            counts = sent[task.output].flatten(2).sum(0)
            right += int((counts.argmax(1).cpu().numpy() == task.answers[part]).sum())
            loss += float(_loss_of(module, task, part, sent, settings)) * len(part)
    return right / len(selected), -loss / len(selected)


def _loss(module: ChipModule, task: Task, selected: NDArray[np.intp], settings: TuneSettings) -> torch.Tensor:
    return _loss_of(module, task, selected, module.run(task.batch(selected, _device(module))), settings)


def _loss_of(
    module: ChipModule,
    task: Task,
    selected: NDArray[np.intp],
    sent: Mapping[str, torch.Tensor],
    settings: TuneSettings,
) -> torch.Tensor:
    loss = _answer_loss(module, task, selected, sent)
    if settings.teacher and task.labels is not None:
        loss = loss + settings.teacher * teacher_loss(module, sent, task.teacher, selected, task.output)
    if settings.sparsity:
        loss = loss + settings.sparsity * spike_penalty(module, sent, settings.target_rate)
    return loss


def _answer_loss(
    module: ChipModule, task: Task, selected: NDArray[np.intp], sent: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    if task.labels is None:
        return teacher_loss(module, sent, task.teacher, selected, task.output)
    counts = sent[task.output].flatten(2).sum(0)
    labels = torch.from_numpy(task.labels[selected]).to(counts.device)
    if module.layer(task.output).population.sends == "voltage":
        return voltage_loss(counts, labels)
    return label_loss(counts, labels, task.steps)


def _device(module: ChipModule) -> torch.device:
    return next(module.parameters()).device
