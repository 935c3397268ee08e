"""The loop of fine-tuning: Adam on the module's parameters, the best of all epochs on samples that are held out."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spikeport.common.accelerator import torch_device
from spikeport.common.errors import InputError
from spikeport.common.limits import MOST_STEPS
from spikeport.hardware_profiles.fixed_point import WordWidths
from spikeport.trainer.loop.pruning import Pruning, warn_at_once
from spikeport.trainer.loop.train_config import LARGEST_SEED

from .checkpoint import TuneCheckpoint, TuneState, identity_of, restore, store
from .goals import Goal
from .sparsity import prunable, spike_penalty
from .targets import Teacher, teacher_loss
from .tunable import Tunable

Progress = Callable[[int, int], None]
LARGEST_BITS = WordWidths().weight_bits


@dataclass(frozen=True)
class TuneSettings:
    """How to tune. learning_rate: of each parameter, times the root mean square of its values.

    held_out: the fraction of the samples that choose the best epoch and are not trained on. exponents: at most for each
    synapse and sign; each is a connection of its own. mean_bits: of all weights on average, at most; each layer gets as
    many as its loss asks for (layer_bits.py), None: all that the options allow. sparsity: weight of the spikes per step
    and neuron beyond target_rate in the loss; above 0, the loss alone chooses the best epoch. pruned: the fraction of
    every synapse's weights that end as 0. teacher: weight of the float network's answers in the loss, where there are
    labels. device: "cpu", "cuda" (a GPU) or "auto". Raises InputError.
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
    mean_bits: float | None = None
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
        if self.mean_bits is not None and not 2 <= self.mean_bits <= LARGEST_BITS:
            raise InputError(f"bits per weight are 2 to {LARGEST_BITS} on average, not {self.mean_bits}")
        if not 0 < self.held_out < 1:
            raise InputError(f"the held-out fraction is between 0 and 1, not {self.held_out}")


@dataclass(frozen=True)
class Task:
    """Inputs (T, N, *shape) by name, the output's population, and what it should answer.

    labels: (N, ...), None where the teacher's answers are wanted; goal: what they ask of the output.
    """

    inputs: Mapping[str, NDArray[Any]]
    output: str
    teacher: Teacher
    labels: NDArray[Any] | None
    goal: Goal = field(default_factory=Goal)

    @property
    def samples(self) -> int:
        """Number of samples."""
        return next(iter(self.inputs.values())).shape[1]

    @property
    def steps(self) -> int:
        """Time steps of the input."""
        return next(iter(self.inputs.values())).shape[0]

    def batch(self, selected: NDArray[np.intp], device: torch.device) -> dict[str, torch.Tensor]:
        """The inputs of some samples."""
        return {
            name: torch.from_numpy(np.ascontiguousarray(values[:, selected])).to(device).float()
            for name, values in self.inputs.items()
        }


def fine_tune(
    module: Tunable,
    task: Task,
    settings: TuneSettings,
    progress: Progress | None = None,
    checkpoint: TuneCheckpoint | None = None,
) -> list[float]:
    """Train the module in place and leave it with its best parameters; returns the held-out score of every epoch.

    The score is the metric of the labels, or the fraction of held-out samples with the float network's answer; of equal
    ones, the lower loss decides. The first one is that of the parameters as they were. Deterministic for a seed, also
    where it goes on from a checkpoint. Where weights are pruned, only epochs in which all of them are 0 can be the
    best. Raises InputError for a checkpoint of another tuning.
    """
    generator = np.random.default_rng(settings.seed)
    held_out = held_out_samples(task.samples, settings)
    trained_on = np.setdiff1d(np.arange(task.samples), held_out)
    groups: list[dict[str, Any]] = [
        {"params": [p], "lr": settings.learning_rate * max(float(p.detach().square().mean().sqrt()), 1e-6)}
        for p in module.parameters()
    ]
    identity = {} if checkpoint is None else _identity(module, task, settings)
    optimiser = torch.optim.Adam(groups, betas=(0.9, 0.99))
    batches = -(-len(trained_on) // settings.batch)
    total = settings.epochs * batches
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [g["lr"] for g in groups], total_steps=total + 1, pct_start=0.1, cycle_momentum=False
    )
    warn_at_once(settings.pruned, settings.epochs)
    pruning = Pruning(prunable(module), settings.pruned, settings.epochs)
    if checkpoint is not None and checkpoint.resume:
        state = restore(checkpoint, identity, module, optimiser)
        schedule.last_epoch = state.epochs * batches
    else:
        first = score(module, task, held_out, settings)
        # only pruned weights are wanted, whatever their score
        best = (-math.inf, -math.inf) if settings.pruned else first
        state = TuneState([task.goal.sign * first[0]], best, copy.deepcopy(module.state_dict()))
    for epoch in range(settings.epochs):
        shuffled = generator.permutation(trained_on)
        if epoch < state.epochs:
            continue
        pruning.start_epoch(epoch)
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
        state.scores.append(task.goal.sign * now[0])
        better = now[1] >= state.best[1] if settings.sparsity else now >= state.best
        if better and pruning.is_done(epoch):
            state.best, state.kept = now, copy.deepcopy(module.state_dict())
        if checkpoint is not None:
            store(checkpoint, identity, state, module, optimiser)
    module.load_state_dict(state.kept)
    return state.scores


def _identity(module: Tunable, task: Task, settings: TuneSettings) -> dict[str, Any]:
    named = {**asdict(settings), "task": task.goal.task.name}
    # a tuning goes on anywhere
    del named["device"]
    return identity_of(named, module, [*task.inputs.values(), task.labels])


def held_out_samples(samples: int, settings: TuneSettings) -> NDArray[np.intp]:
    """The samples that are not trained on, by the seed; raises InputError if there are too few."""
    if samples < 2:
        raise InputError("tuning takes at least two samples, one to train on and one to measure; give more data")
    order = np.random.default_rng(settings.seed).permutation(samples)
    return np.sort(order[: max(1, int(settings.held_out * samples))])


def score(module: Tunable, task: Task, selected: NDArray[np.intp], settings: TuneSettings) -> tuple[float, float]:
    """The score of the selected samples, larger for a better one, and minus the loss."""
    sent, loss, batch = [], 0.0, settings.batch
    with torch.no_grad():
        for first in range(0, len(selected), batch):
            part = selected[first : first + batch]
            values = module.run_in_units(task.batch(part, _device(module)))
            sent.append(values[task.output].flatten(2).cpu().numpy())
            loss += float(_loss_of(module, task, part, values, settings)) * len(part)
    output = np.concatenate(sent, axis=1).astype(np.float64)
    labels = None if task.labels is None else task.labels[selected]
    reached = task.goal.score(output, task.teacher.output[:, selected].astype(np.float64), labels)
    return (reached if labels is None else task.goal.sign * reached), -loss / len(selected)


def _loss(module: Tunable, task: Task, selected: NDArray[np.intp], settings: TuneSettings) -> torch.Tensor:
    sent = module.run_in_units(task.batch(selected, _device(module)))
    return _loss_of(module, task, selected, sent, settings)


def _loss_of(
    module: Tunable,
    task: Task,
    selected: NDArray[np.intp],
    sent: Mapping[str, torch.Tensor],
    settings: TuneSettings,
) -> torch.Tensor:
    if task.labels is None:
        loss = teacher_loss(module, sent, task.teacher, selected, task.output)
    else:
        voltages = module.layer(task.output).population.sends == "voltage"
        loss = task.goal.cost(sent[task.output].flatten(2), task.labels[selected], voltages)
        if settings.teacher:
            loss = loss + settings.teacher * teacher_loss(module, sent, task.teacher, selected, task.output)
    if settings.sparsity:
        loss = loss + settings.sparsity * spike_penalty(module, sent, settings.target_rate)
    return loss


def _device(module: Tunable) -> torch.device:
    return next(module.parameters()).device
